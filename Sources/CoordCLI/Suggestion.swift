import Glibc
import Job
import Sharding
import Synchronization

/// Commands that messages name: completed with what leads to the same database, so that a copied line works.
enum Suggestion {
    private struct Known {
        var jobDatabase: String?
        var schema: String?
        var afterLostOutput: String?
    }

    private static let known = Mutex(Known())

    /// What the job file says to connect to: a command that does not read the file needs it too.
    static func connects(to database: String?) {
        guard let database else { return }
        known.withLock { $0.jobDatabase = database }
    }

    static var jobDatabase: String? { known.withLock { $0.jobDatabase } }

    /// Where the ledger is, when a command without options may look elsewhere.
    static func looks(into schema: LedgerSchema) { known.withLock { $0.schema = schema.quoted } }

    /// What shows a run whose summary could not be written.
    static func shows(_ run: RunID) { known.withLock { $0.afterLostOutput = "coord status \(run)   shows the run" } }

    static var afterLostOutput: String? { known.withLock { $0.afterLostOutput } }

    /// The text with this process's options in each command of coord's that it names.
    static func completed(_ text: String) -> String {
        guard text.utf8.count <= lengthLimit, text.contains("coord ") else { return text }
        let (database, schema) = known.withLock { ($0.jobDatabase, $0.schema) }
        return completed(text, arguments: CommandLine.arguments, jobDatabase: database, schema: schema)
    }

    /// Bytes of a text that is looked through. Longer ones are not coord's own.
    private static let lengthLimit = 1 << 16

    static func completed(_ text: String, arguments: [String], jobDatabase: String?, schema: String? = nil)
        -> String
    {
        let words = arguments.prefix { $0 != "--" }
        let given = ["--database", "--ledger-schema"].reduce(into: [String: String]()) { found, option in
            for (index, word) in words.enumerated() {
                if word == option, words.indices.contains(index + 1) { found[option] = words[index + 1] }
                if word.hasPrefix(option + "=") { found[option] = String(word.dropFirst(option.count + 1)) }
            }
        }
        func options(fromFile: Bool) -> String {
            var options = given
            if !fromFile {
                options["--database"] = options["--database"] ?? jobDatabase
                options["--ledger-schema"] = options["--ledger-schema"] ?? schema
            }
            // A password is refused before, and never repeated.
            if let database = options["--database"], Job.checkConnection(database) != nil {
                options["--database"] = nil
            }
            return options.sorted { $0.key < $1.key }.map { " \($0.key) \(quoted($0.value))" }.joined()
        }
        let commands =
            /\bcoord (?<verb>start|plan|pause|resume|status|shards|cancel|workers|worker|ledger install|ledger drop)(?: [0-9]+)?\b/
        return text.replacing(commands) { match in
            match.output.0 + options(fromFile: ["start", "plan"].contains(match.output.verb))
        }
    }

    /// As a word of a shell's command line.
    static func quoted(_ word: String) -> String {
        let plain = word.utf8.allSatisfy { byte in
            Character(Unicode.Scalar(byte)).isASCII
                && (Character(Unicode.Scalar(byte)).isLetter || Character(Unicode.Scalar(byte)).isNumber
                    || "_@%+=:,./-".utf8.contains(byte))
        }
        return plain && !word.isEmpty
            ? word : "'" + word.unicodeScalars.map { $0 == "'" ? "'\\''" : String($0) }.joined() + "'"
    }
}
