import Job
import Testing

@testable import Coordinator

/// The command line of ssh, and the reasons of its ends.
@Suite struct SSHTests {
    @Test func commandLineHasWhatTheFileSaysAndAsksNothing() {
        let host = InventoryHost(
            name: "db1", address: "fe80::1%eth0", user: "coord", port: 2222, path: "bin/my 'coord'",
            identity: "/etc/key", sshConfig: "/etc/config", database: "dbname=secret-place",
            environment: ["PGHOST": "far"])
        let arguments = SSHCommand(host).arguments
        #expect(arguments.suffix(3) == ["--", "fe80::1%eth0", "exec 'bin/my '\\''coord'\\''' keep-workers"])
        for pair in [
            ["-F", "/etc/config"], ["-i", "/etc/key"], ["-p", "2222"], ["-l", "coord"], ["-o", "BatchMode=yes"],
            ["-o", "ServerAliveInterval=5"], ["-o", "ControlPath=none"],
        ] {
            #expect(arguments.indices.dropLast().contains { Array(arguments[$0...($0 + 1)]) == pair }, "\(pair)")
        }
        #expect(!arguments.contains { $0.contains("secret-place") || $0.contains("far") })
        let plain = SSHCommand(InventoryHost(name: "db1", address: "db1")).arguments
        #expect(plain.suffix(3) == ["--", "db1", "exec 'coord' keep-workers"])
        #expect(Set(plain).isDisjoint(with: ["-F", "-i", "-p", "-l"]))
    }

    private static func exit(_ status: Int32) -> Int32 { status << 8 }

    static let ends: [(Int32, [String], String)] = [
        (exit(127), ["bash: line 1: exec: coord: not found"], "there is no coord at bin/coord"),
        (exit(126), [], "bin/coord cannot be executed there"),
        (exit(0), [], "its workers have left"),
        (
            exit(255), ["ssh: connect to host db1 port 22: Connection refused"],
            "ssh: connect to host db1 port 22: Connection refused"
        ),
        (
            exit(255),
            [
                "No ED25519 host key is known for db1 and you have requested strict checking.",
                "Host key verification failed.",
            ],
            "Host key verification failed: its key is not known, or another than before"
        ),
        (
            exit(255), ["coord@db1: Permission denied (publickey,password)."],
            "coord@db1: Permission denied (publickey,password): ssh needs a key"
        ),
        (exit(255), [], "ssh has ended without a word (exit status 255)"),
        (
            exit(1), ["coord: the coordinator refused this worker: no", "  start the worker again", "bye"],
            "the coordinator refused this worker: no"
        ),
        (9, ["hello"], "ssh has ended (killed by signal 9)"),
    ]

    @Test(arguments: ends) func everyEndHasAReason(status: Int32, lines: [String], reason: String) {
        #expect(SSHEnd.reason(status: status, lines: lines, path: "bin/coord").hasPrefix(reason))
    }
}
