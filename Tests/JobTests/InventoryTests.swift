import Foundation
import Glibc
import Testing

@testable import Job

/// Files of hosts, as `--hosts` names them.
@Suite struct InventoryTests {
    private static func parse(_ text: String) throws(JobError) -> Inventory {
        try Inventory.parse(text: text, file: "hosts.yaml", directory: "/etc")
    }

    @Test func defaultsHoldForAllHostsAndEachMaySayOtherwise() throws {
        let inventory = try Self.parse(
            """
            coordinator: host-a
            here: 2
            defaults:
              user: coord
              workers: 8
              environment: { PGHOST: db, PGUSER: app }
            hosts:
              db2: { address: "fe80::1%eth0", port: 2222, workers: 0, path: bin/coord, environment: { PGHOST: other } }
              db1:
            """)
        #expect(inventory.coordinator == "host-a")
        #expect(inventory.here == 2)
        #expect(
            inventory.hosts == [
                InventoryHost(
                    name: "db1", address: "db1", user: "coord", workers: 8, path: "coord",
                    environment: ["PGHOST": "db", "PGUSER": "app"]),
                InventoryHost(
                    name: "db2", address: "fe80::1%eth0", user: "coord", port: 2222, workers: 0, path: "bin/coord",
                    environment: ["PGHOST": "other", "PGUSER": "app"]),
            ])
    }

    @Test func filesOfSshAreFoundFromTheFolderOfTheInventory() throws {
        let inventory = try Self.parse("hosts: { db1: { ssh_config: passwd, identity: /etc/group } }")
        #expect(inventory.hosts.first?.sshConfig == "/etc/passwd")
        #expect(inventory.hosts.first?.identity == "/etc/group")
    }

    @Test func theSampleIsAnInventory() throws {
        let sample = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Config/hosts.yaml")
        let inventory = try Inventory.load(path: sample.standardized.path)
        #expect(inventory.hosts.map(\.name) == ["big", "db1", "db2"])
        #expect(inventory.hosts.map(\.workers) == [32, 4, nil])
    }

    struct Wrong: Sendable, CustomTestStringConvertible {
        var text: String
        var line: Int?
        var message: String
        var mend: String?
        var testDescription: String { message }

        init(_ text: String, line: Int?, _ message: String, mend: String? = nil) {
            (self.text, self.line, self.message, self.mend) = (text, line, message, mend)
        }
    }

    static let wrong: [Wrong] = [
        Wrong("", line: nil, "the file is empty", mend: "hosts"),
        Wrong("- a", line: 1, "a file of hosts must be a mapping, not a list"),
        Wrong("here: 1", line: 1, "there is no 'hosts'"),
        Wrong("hosts: {}", line: 1, "there is no host"),
        Wrong("hosts:\n  db1:\n    adress: x", line: 3, "did you mean 'address'?"),
        Wrong("hosts:\n  db1: { table: x }", line: 2, "unknown key 'table' in 'hosts.db1'", mend: "The keys here are"),
        Wrong("user: me\nhosts: { db1: }", line: 1, "unknown key 'user'", mend: "It belongs under 'hosts.NAME'."),
        Wrong("defaults: { address: x }\nhosts: { db1: }", line: 1, "unknown key 'address' in 'defaults'"),
        Wrong("hosts:\n  DB1: {}", line: 2, "'DB1' is not a host's name", mend: "a-z"),
        Wrong("hosts:\n  db1: {}\n  db1: {}", line: 3, "the key 'db1' is given twice"),
        Wrong("hosts:\n  db1: { address: -oProxyCommand=x }", line: 2, "is not an address", mend: "address: 10.0.0.7"),
        Wrong("hosts:\n  db1: { address: 'a b' }", line: 2, "is not an address"),
        Wrong("hosts:\n  db1: { user: [a] }", line: 2, "must be a user's name, not a list"),
        Wrong("hosts:\n  db1: { port: 0 }", line: 2, "out of range: 1 to 65535"),
        Wrong("hosts:\n  db1: { workers: many }", line: 2, "is not a whole number", mend: "from 0 to 128"),
        Wrong("hosts:\n  db1: { path: ~/coord }", line: 2, "is not a program's path", mend: "bin/coord"),
        Wrong("hosts:\n  db1: { path: }", line: 2, "'hosts.db1.path' has no value"),
        Wrong("hosts:\n  db1: { identity: nowhere }", line: 2, "'/etc/nowhere' cannot be read"),
        Wrong(
            "hosts:\n  db1: { database: 'postgresql://me:hunter2@db/app' }", line: 2, "holds a password",
            mend: "~/.pgpass"),
        Wrong("hosts:\n  db1:\n    environment: { PGPASSWORD: hunter2 }", line: 3, "is a secret by its name"),
        Wrong("hosts:\n  db1:\n    environment: { URL: 'postgres://me:hunter2@db/app' }", line: 3, "holds a password"),
        Wrong("hosts:\n  db1:\n    environment: { 1A: x }", line: 3, "'1A' is not a variable's name"),
        Wrong("hosts:\n  db1:\n    environment: { A: \"x\\ny\" }", line: 3, "a variable here has one line"),
        Wrong("hosts:\n  db1:\n    environment: [A]", line: 3, "must be a mapping, not a list"),
    ]

    @Test(arguments: wrong) func mistakesAreToldWithTheirLineAndNothingOfASecret(_ wrong: Wrong) throws {
        let error = #expect(throws: JobError.self) { try Self.parse(wrong.text) }
        let told = try #require(error)
        #expect(told.errors.count == 1, "\(told)")
        #expect(told.line == wrong.line, "\(told)")
        #expect(told.message.contains(wrong.message), "\(told)")
        if let mend = wrong.mend { #expect(told.mend?.contains(mend) == true, "\(told)") }
        #expect(!told.description.contains("hunter2"))
    }

    @Test func whatDoesNotFitThePipeIsRefused() throws {
        let long = String(repeating: "x", count: InventoryHost.maximumEnvironmentBytes)
        let error = #expect(throws: JobError.self) {
            try Self.parse("hosts:\n  db1:\n    environment: { A: \(long) }")
        }
        #expect(error?.message.contains("are more than the limit") == true)
        let many = (0...Inventory.maximumHosts).map { "  h\($0): {}" }.joined(separator: "\n")
        let hosts = #expect(throws: JobError.self) { try Self.parse("hosts:\n\(many)") }
        #expect(hosts?.message.contains("more hosts than the limit, 256") == true)
    }
}
