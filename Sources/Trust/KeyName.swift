/// What people call a key: a worker's, or a host's.
package struct KeyName: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let text: String

    /// The coordinator's own pair.
    package static let coordinator = KeyName(known: "coordinator")
    package static let rule =
        "1 to 63 small letters, digits, dots, hyphens or underscores, the first a letter or a digit"
    private static let limit = 63
    private static let letters = Set("abcdefghijklmnopqrstuvwxyz0123456789".utf8)
    private static let others = Set(".-_".utf8)

    /// - Returns: nil for a text that cannot be the name of a file everywhere.
    package init?(_ text: some StringProtocol) {
        let bytes = text.utf8
        guard (1...Self.limit).contains(bytes.count), bytes.first.map({ Self.letters.contains($0) }) == true,
            bytes.allSatisfy({ Self.letters.contains($0) || Self.others.contains($0) })
        else { return nil }
        self.text = String(text)
    }

    private init(known text: String) { self.text = text }

    /// The name that a worker's key keeps after a rotation, until it is revoked.
    package var old: KeyName { KeyName(known: text + "-old") }

    package static func < (left: KeyName, right: KeyName) -> Bool { left.text < right.text }
    package var description: String { text }
}
