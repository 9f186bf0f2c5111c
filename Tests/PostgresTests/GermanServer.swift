import Foundation
import Glibc
import Host
import Postgres

/// A private PostgreSQL server that speaks German, with a folder for its locale.
final class GermanServer {
    let folder: String
    let host: String
    let port: String

    /// Whether this machine has the source of the locale and PostgreSQL's translations.
    static var isPossible: Bool {
        let files = FileManager.default
        let translations = (try? files.contentsOfDirectory(atPath: "/usr/share/locale/de/LC_MESSAGES")) ?? []
        return files.fileExists(atPath: "/usr/share/i18n/locales/de_DE")
            && files.fileExists(atPath: "/usr/bin/localedef")
            && translations.contains { $0.hasPrefix("postgres-") }
    }

    struct Failure: Error { let text: String }

    init() throws {
        folder = "/tmp/coord-german-\(UInt32.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: "\(folder)/locale", withIntermediateDirectories: true)
        try Self.run("localedef", ["-i", "de_DE", "-f", "UTF-8", "\(folder)/locale/de_DE.UTF-8"], [:])
        try Self.postgres(
            ["start", "--tcp", "-c", "lc_messages=de_DE.UTF-8", "\(folder)/server"], ["LOCPATH": "\(folder)/locale"])
        host = try Self.read("\(folder)/server/socket-dir")
        port = try Self.read("\(folder)/server/port")
    }

    /// Replaces the server's rules on who may connect, and has the server read them.
    func admit(_ rules: [String]) throws {
        let file = try Self.read("\(folder)/server/data-dir") + "/pg_hba.conf"
        // The file is overwritten in place, since it belongs to the server's user.
        try (rules.joined(separator: "\n") + "\n").write(toFile: file, atomically: false, encoding: .utf8)
        try connect("host=\(host) user=postgres dbname=postgres").execute("SELECT pg_reload_conf()")
    }

    func connect(_ conninfo: String) throws -> PostgresConnection {
        try PostgresConnection(.init(conninfo: "port=\(port) \(conninfo)", applicationName: "coord test"))
    }

    func end() {
        // A folder that stays in /tmp does no harm.
        try? Self.postgres(["remove", "\(folder)/server"], [:])
        try? FileManager.default.removeItem(atPath: folder)
    }

    private static func read(_ file: String) throws -> String {
        try String(contentsOfFile: file, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private static func postgres(_ arguments: [String], _ environment: [String: String]) throws {
        let checkout = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        try run("bash", [checkout.appendingPathComponent("Cluster/local/postgres.sh").path] + arguments, environment)
    }

    /// Foundation's Process would also wait for the server, which inherits the descriptors that Process waits for.
    private static func run(_ program: String, _ arguments: [String], _ environment: [String: String]) throws {
        let errors = "/tmp/coord-german-\(UInt32.random(in: 0 ... .max)).err"
        let (nothing, output) = (
            open("/dev/null", O_RDWR | O_CLOEXEC), open(errors, O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
        )
        defer {
            close(nothing)
            close(output)
            unlink(errors)
        }
        let child = try ChildProcess.spawn(
            program, arguments: arguments, environment: environment, streams: (nothing, nothing, output))
        var status: Int32 = 0
        guard waitpid(child, &status, 0) == child, status == 0 else {
            throw Failure(text: "\(program): \(ChildProcess.describe(status: status)): \(try read(errors))")
        }
    }
}
