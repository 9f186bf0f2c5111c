/// A command's name for people: the script, not its interpreter.
enum ProgramName {
    /// Programs that run another program, which stands behind their options.
    private static let wrappers = ["env", "stdbuf", "nice", "ionice", "nohup", "setsid"]
    private static let interpreters = [
        "python", "pypy", "node", "nodejs", "bun", "ruby", "perl", "php", "Rscript", "lua", "julia", "tclsh", "java",
        "bash", "sh", "dash", "zsh", "ksh", "awk", "gawk", "mawk",
    ]
    /// Their options with a value: the next word is not the script.
    private static let withValue = [
        "-W", "-X", "-r", "--require", "--import", "--loader", "-I", "-O", "-o", "-cp", "-classpath", "-v", "-F",
    ]

    /// - Parameter command: the job's command, not empty.
    static func of(_ command: [String]) -> String {
        var words = command[...]
        while let first = words.first, wrappers.contains(base(first)), words.count > 1 {
            let rest = words.dropFirst().drop { $0.hasPrefix("-") || $0.contains("=") || $0.allSatisfy(\.isNumber) }
            guard !rest.isEmpty else { break }
            words = rest
        }
        guard let program = words.first.map(base) else { return "the program" }
        // python3.12 and the like.
        let plain = String(program.prefix { !$0.isNumber })
        guard interpreters.contains(program) || interpreters.contains(plain) else { return program }
        return script(words.dropFirst(), of: plain) ?? program
    }

    /// The script among an interpreter's arguments; nil when the program's text is itself an argument or comes from
    /// standard input.
    private static func script(_ arguments: ArraySlice<String>, of interpreter: String) -> String? {
        let isAwk = interpreter.hasSuffix("awk")
        let isPython = interpreter == "python" || interpreter == "pypy"
        var rest = arguments
        while let word = rest.popFirst() {
            switch word {
            case "-m" where isPython, "-jar" where interpreter == "java": return rest.first
            case "-f" where isAwk: return rest.first.map(base)
            case "-c", "-e", "-E", "-p", "--eval", "--print": return nil
            case _ where withValue.contains(word): _ = rest.popFirst()
            // -lc of a shell, -ne of perl.
            case _ where word.hasPrefix("-") && !word.hasPrefix("--"):
                let options = word.dropFirst()
                if options.allSatisfy(\.isLowercase), let last = options.last, "ce".contains(last) { return nil }
            case _ where word.hasPrefix("-"): continue
            default: return isAwk ? nil : base(word)
            }
        }
        return nil
    }

    private static func base(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }
}
