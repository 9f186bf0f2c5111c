import ZeroMQ

/// What a coordinator tells the keeper of another host before anything is started there, by ssh's standard input, which
/// nobody else on either host can read.
///
/// It is a line a fact, with a word and a text; the last line is the word `end`. A line that the keeper does not know is an
/// error: it would be a fact that is not obeyed.
package struct Handover: Equatable {
    /// The number of the form, which both sides must know.
    private static let form = "1"

    /// Where the coordinator listens; several addresses with commas.
    package var connect: String
    /// The number of workers; nil for one a processor.
    package var workers: Int?
    /// The pair by which the workers of this host are known.
    package var own: CurveKeyPair
    package var coordinator: CurvePublicKey
    /// Variables of the workers.
    package var environment: [String: String]
    package var isVerbose: Bool

    package init(
        connect: String, workers: Int?, own: CurveKeyPair, coordinator: CurvePublicKey,
        environment: [String: String], isVerbose: Bool
    ) {
        self.connect = connect
        self.workers = workers
        self.own = own
        self.coordinator = coordinator
        self.environment = environment
        self.isVerbose = isVerbose
    }

    /// The whole text. It has the secret.
    package var text: String {
        var lines = [
            "coord \(Self.form)", "connect \(connect)", "secret \(own.secret)", "coordinator \(coordinator)",
        ]
        if let workers { lines.append("workers \(workers)") }
        if isVerbose { lines.append("verbose") }
        for (name, value) in environment.sorted(by: { $0.key < $1.key }) { lines.append("set \(name)=\(value)") }
        return (lines + ["end", ""]).joined(separator: "\n")
    }

    /// Reads lines until the last one. It reads no byte beyond it, since those that follow are the leash's.
    /// - Parameter nextByte: nil at the end of the input.
    /// - Throws: `HandoverError`, which quotes nothing.
    package static func read(_ nextByte: () -> UInt8?) throws(HandoverError) -> Handover {
        var lines: [String] = []
        var line: [UInt8] = []
        var count = 0
        while let byte = nextByte() {
            count += 1
            guard count <= byteLimit else { throw .malformed }
            if byte != UInt8(ascii: "\n") {
                line.append(byte)
                continue
            }
            let text = String(decoding: line, as: UTF8.self)
            if text == "end" { return try Handover(lines: lines) }
            lines.append(text)
            line.removeAll()
        }
        throw .ended
    }

    /// Bytes of a handover at the most: what a pipe holds, so that it is written at once.
    static let byteLimit = 64 << 10

    private init(lines: [String]) throws(HandoverError) {
        var facts: [String: String] = [:]
        var environment: [String: String] = [:]
        for line in lines {
            let word = String(line.prefix { $0 != " " })
            let rest = String(line.dropFirst(word.count + 1))
            guard word == "set" else {
                facts[word] = rest
                continue
            }
            environment[String(rest.prefix { $0 != "=" })] = String(rest.drop { $0 != "=" }.dropFirst())
        }
        guard facts["coord"] == Self.form else { throw .otherForm }
        let known = ["coord", "connect", "secret", "coordinator", "workers", "verbose"]
        guard facts.keys.allSatisfy({ known.contains($0) }), let connect = facts["connect"],
            let own = CurveKeyPair(secret: facts["secret"] ?? ""),
            let coordinator = CurvePublicKey(facts["coordinator"] ?? "")
        else { throw .malformed }
        var workers: Int?
        if let text = facts["workers"] {
            guard let number = Int(text), number >= 0 else { throw .malformed }
            workers = number
        }
        self.init(
            connect: connect, workers: workers, own: own, coordinator: coordinator,
            environment: environment, isVerbose: facts["verbose"] != nil)
    }

    package static func == (left: Handover, right: Handover) -> Bool { left.text == right.text }
}
