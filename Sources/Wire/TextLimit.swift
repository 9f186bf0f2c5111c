/// The most bytes of a message's texts. The sender cuts what is longer, since the message must arrive; the reader refuses it.
/// A message as a whole has room for all of them.
enum TextLimit {
    /// A host's name, a build, a transform's name, a step.
    static let name = 256
    /// Why a worker cannot begin, what it waits for, why it leaves.
    static let reason = 4_096
    /// An error's text. The ledger keeps less.
    static let error = 8_192
    /// The names of all transforms of a worker.
    static let transforms = 12_288
    /// The leases in a heartbeat. A worker has one.
    static let leases = 8

    private static let mark = "…"

    /// The text, or as much of its beginning as fits, with a mark.
    static func cut(_ text: String, to limit: Int) -> String {
        guard text.utf8.count > limit else { return text }
        var kept = ""
        var bytes = mark.utf8.count
        for character in text {
            bytes += character.utf8.count
            guard bytes <= limit else { break }
            kept.append(character)
        }
        return kept + mark
    }

    /// - Parameter name: what the text is, for the error.
    static func check(_ text: String, _ limit: Int, _ name: String) throws(WireError) {
        guard text.utf8.count > limit else { return }
        throw WireError("\(name) of \(text.utf8.count) bytes, of at most \(limit)")
    }
}
