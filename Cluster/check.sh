#!/usr/bin/env bash
# Checks the scripts, units and manifests of this folder, and starts none of them: scripts by shellcheck, units by systemd-analyze,
# manifests by the published schemas of Kubernetes and of compose files, which packages of PyPI bring along, and by check.py.
# `make lint` calls this. The first time it makes a venv, which takes a minute at most.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=.coord/check-venv
requirements=Cluster/requirements.txt
exposure=20 # tenths, of 100; with no setting for its safety a unit has 96
failed=0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

problem() { printf 'check: %s\n' "$*" >&2; failed=1; }
skipped() { printf 'check: skipped: %s\n' "$*"; }

# quiet WHAT COMMAND…: shows what a command said only when it failed.
quiet() {
    local what=$1
    shift
    if ! timeout 120 "$@" >"$work/said" 2>&1; then
        cat "$work/said" >&2
        problem "$what"
    fi
}

# --- scripts ---------------------------------------------------------------------------------------------------------

Cluster/local/install.sh shellcheck
mapfile -d '' scripts < <(git ls-files -z -co --exclude-standard --deduplicate '*.sh' .ci/run)
quiet "a script is not clean" shellcheck "${scripts[@]}"

# --- units -----------------------------------------------------------------------------------------------------------

# In a tree of its own, where the programs and files are that a unit names.
check_units() {
    local root=$work/root unit name instance setting variable
    mkdir -p "$root/usr/local/bin" "$root/etc/systemd/system" "$root/lib/systemd/system" "$root/etc/coord"
    install -m 755 /dev/stdin "$root/usr/local/bin/coord" <<<'#!/bin/sh'
    cp /lib/systemd/system/{basic,sysinit,shutdown,network,network-online,multi-user}.target "$root/lib/systemd/system"
    cp /lib/systemd/system/{-,system}.slice "$root/lib/systemd/system" 2>/dev/null || true # some versions have no such files
    for unit in Cluster/systemd/*.service; do
        name=$(basename "$unit")
        instance=${name/@/@1}
        cp "$unit" "$root/etc/systemd/system"
        # A setting that it does not know is only a warning to it.
        if ! systemd-analyze --root="$root" verify "$instance" >"$work/said" 2>&1 || [[ -s $work/said ]]; then
            cat "$work/said" >&2
            problem "$unit is not a good unit"
        fi
        quiet "$unit gives its service more than it needs" \
            systemd-analyze security --offline=yes --threshold="$exposure" "$unit"
        for setting in Type=notify WatchdogSec= NoNewPrivileges=yes ProtectSystem=strict ProtectHome=yes PrivateTmp=yes MemoryMax=; do
            grep -q "^$setting" "$unit" || problem "$unit has no $setting"
        done
        while read -r variable; do
            grep -qE "^$variable=." "Cluster/systemd/$(sed -nE 's|^EnvironmentFile=/etc/coord/(.*)|\1|p' "$unit").sample" ||
                problem "$unit: the sample of its environment has no $variable"
        done < <(grep -oE '[$][{][A-Z_]+' "$unit" | sed 's/^..//')
    done
}
if systemd-analyze --version 2>/dev/null | awk 'NR == 1 && $2 >= 250 { found = 1 } END { exit !found }'; then
    check_units
else
    skipped "the units: no systemd-analyze of version 250 or later"
fi

# --- manifests -------------------------------------------------------------------------------------------------------

python=/usr/bin/python3
[[ -x $python ]] || python=python3
"$python" -c 'import ensurepip' 2>/dev/null || Cluster/local/install.sh python3 python3-venv
# The stamp is the last step: a venv that an interrupted run left half made is made again.
if ! cmp -s "$requirements" "$venv/installed.txt"; then
    rm -rf "$venv"
    "$python" -m venv "$venv"
    timeout 300 "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"
    cp "$requirements" "$venv/installed.txt"
fi

kubernetes=Cluster/kubernetes
manifests=()
while read -r name; do manifests+=("$kubernetes/$name"); done < <(sed -n '/^resources:/,/^[^ ]/s/^  - //p' "$kubernetes/kustomization.yaml")
quiet "a manifest does not fit the schema of Kubernetes" "$venv/bin/kubernetes-validate" --strict --no-warn "${manifests[@]}"
quiet "a manifest does not fit coord" "$venv/bin/python" Cluster/check.py "${manifests[@]}"
# As they are applied: with names, images and the namespace filled in.
if kustomize=$(command -v kustomize) || kustomize=$(command -v kubectl); then
    build=("$kustomize" build)
    if [[ $kustomize == *kubectl ]]; then build=("$kustomize" kustomize); fi
    if "${build[@]}" "$kubernetes" >"$work/built.yaml" 2>"$work/said"; then
        quiet "what kustomize makes does not fit the schema of Kubernetes" \
            "$venv/bin/kubernetes-validate" --strict --no-warn "$work/built.yaml"
        quiet "what kustomize makes does not fit coord" "$venv/bin/python" Cluster/check.py "$work/built.yaml"
    else
        cat "$work/said" >&2
        problem "kustomize cannot build $kubernetes"
    fi
else
    skipped "what kustomize makes of the manifests: no kustomize, no kubectl"
fi

quiet "the compose file does not fit its schema" \
    "$venv/bin/check-jsonschema" --builtin-schema vendor.compose-spec Cluster/compose/compose.yaml
if docker compose version >/dev/null 2>&1; then
    quiet "docker compose does not take the compose file" \
        env PGHOST=db PGDATABASE=app PGUSER=app COORD_USER=1:1 COORD_JOBS=/jobs COORDINATOR_KEYS=/keys WORKER_KEYS=/keys \
        PGPASS_FILE=/pgpass docker compose --file Cluster/compose/compose.yaml config --quiet
fi
exit "$failed"
