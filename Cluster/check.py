"""What no schema knows of the manifests: that they fit coord and each other. Called by check.sh.

usage: check.py DOCUMENT..., each a YAML file of Kubernetes
"""

import re
import sys
from pathlib import Path

import yaml

checkout = Path(__file__).resolve().parent.parent
problems = []


def check(holds, problem):
    if not holds:
        problems.append(problem)


def documented_codes():
    """The exit codes of the table in docs/operating/start.md."""
    section = (checkout / "docs/operating/start.md").read_text().split("\n## Exit codes\n")[1].split("\n## ")[0]
    return {int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)}


def pods(documents):
    for document in documents:
        if document["kind"] in ("Job", "Deployment"):
            yield document["metadata"]["name"], document["spec"]["template"]["spec"]


def check_exit_codes(job):
    treated = {}
    for rule in job["spec"]["podFailurePolicy"]["rules"]:
        for code in rule.get("onExitCodes", {}).get("values", []):
            treated[code] = rule["action"]
    codes = documented_codes()
    check(len(codes) > 5, "docs/operating/start.md: no table of exit codes was found")
    check(set(treated) == codes - {0}, f"the pod failure policy knows {sorted(treated)}, the documentation {sorted(codes)}")
    # A drained run goes on; `coord start` after any other code could begin a cancelled run anew.
    expected = {code: "Ignore" if code == 130 else "FailJob" for code in codes - {0}}
    check(treated == expected, f"the pod failure policy is {treated} and not {expected}")


def check_pod(name, pod):
    check(pod["securityContext"]["runAsNonRoot"] is True, f"{name} may run as root")
    check(pod["automountServiceAccountToken"] is False, f"{name} has a token of the cluster")
    check(pod["enableServiceLinks"] is False, f"{name} has variables of services, which may begin with COORD_")
    volumes = {volume["name"] for volume in pod["volumes"]}
    mounted = set()
    for container in pod["initContainers"] + pod["containers"]:
        place = f"{name}, container {container['name']}"
        closed = container["securityContext"]
        check(closed["readOnlyRootFilesystem"] is True, f"{place}: its root file system can be written")
        check(closed["allowPrivilegeEscalation"] is False, f"{place}: it may get more privileges")
        check(closed["capabilities"] == {"drop": ["ALL"]}, f"{place}: it has capabilities")
        check("memory" in container["resources"]["limits"], f"{place}: its memory has no limit")
        check("requests" in container["resources"], f"{place}: it asks for no resources")
        mounted |= {mount["name"] for mount in container["volumeMounts"]}
    check(volumes == mounted, f"{name}: volumes {sorted(volumes)}, mounted {sorted(mounted)}")
    main = pod["containers"][0]
    check("readinessProbe" in main, f"{name}: it has no readiness probe")
    check("sh" not in main.get("command", []), f"{name}: a shell would not pass SIGTERM on")


def argument(pod, option):
    found = [arg.partition("=")[2] for arg in pod["containers"][0]["args"] if arg.startswith(option + "=")]
    return found[0] if found else ""


def check_connection(documents):
    by_name = dict(pods(documents))
    service = next(d for d in documents if d["kind"] == "Service")
    coordinator, worker = by_name["coord-coordinator"], by_name["coord-workers"]
    port = service["spec"]["ports"][0]["port"]
    check(argument(coordinator, "--listen") == f"tcp://*:{port}", "the coordinator listens elsewhere than at its service")
    check(
        argument(worker, "--connect") == f"tcp://{service['metadata']['name']}:{port}",
        "the workers connect elsewhere than to the service",
    )
    for name, pod in by_name.items():
        for kind in ("startupProbe", "readinessProbe"):
            probe = pod["containers"][0].get(kind)
            if probe:
                check(f":{port:04X} " in " ".join(probe["exec"]["command"]), f"{name}: {kind} looks at another port")


def check_names(documents):
    """What a pod refers to is generated, or is one of those that the operator makes, which the page on it names."""
    made = set(re.findall(r"kubectl create (?:secret generic|configmap) (\S+)", (checkout / "Cluster/README.md").read_text()))
    kustomization = yaml.safe_load((checkout / "Cluster/kubernetes/kustomization.yaml").read_text())
    generated = {generator["name"] for generator in kustomization["configMapGenerator"]}
    referred = set()
    for _, pod in pods(documents):
        for volume in pod["volumes"]:
            if "secret" in volume:
                referred.add(volume["secret"]["secretName"])
            if "configMap" in volume:
                referred.add(volume["configMap"]["name"])
        for container in pod["initContainers"] + pod["containers"]:
            referred |= {source["configMapRef"]["name"] for source in container.get("envFrom", [])}
    # kustomize adds a hash to the names that it generates.
    plain = {name if name in made else re.sub(r"-[a-z0-9]{10}$", "", name) for name in referred}
    check(
        plain == made | generated,
        f"pods refer to {sorted(plain)}; Cluster/README.md and kustomize make {sorted(made | generated)}",
    )


documents = []
for path in sys.argv[1:]:
    documents += [document for document in yaml.safe_load_all(Path(path).read_text()) if document]
check_exit_codes(next(d for d in documents if d["kind"] == "Job"))
for pod_name, pod_spec in pods(documents):
    check_pod(pod_name, pod_spec)
check_connection(documents)
check_names(documents)
for problem in problems:
    print(f"kubernetes: {problem}")
sys.exit(1 if problems else 0)
