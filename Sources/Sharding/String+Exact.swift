extension String {
    /// Whether two texts are the same byte for byte. Swift's `==` also takes canonically equivalent texts for equal; to
    /// PostgreSQL, composed and decomposed `café` are two names.
    public func isExactly(_ other: String) -> Bool { utf8.elementsEqual(other.utf8) }
}

extension Sequence<String> {
    /// Whether one of the texts is `text` byte for byte.
    public func containsExactly(_ text: String) -> Bool { contains { $0.isExactly(text) } }
}
