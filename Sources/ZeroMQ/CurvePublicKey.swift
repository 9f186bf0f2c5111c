import CZeroMQ

/// The public half of a CURVE key pair, by which a peer is known.
package struct CurvePublicKey: Hashable, Sendable, CustomStringConvertible {
    /// Characters of a key in Z85.
    package static let length = 40
    /// Bytes of a key.
    static let size = 32

    /// The key in Z85: 40 characters, without spaces and quotes.
    package let text: String

    /// - Returns: nil when the text is no key.
    package init?(_ text: some StringProtocol) {
        guard Z85.bytes(of: text)?.count == Self.size else { return nil }
        self.text = String(text)
    }

    /// - Returns: nil when it is not as long as a key.
    init?(bytes: [UInt8]) {
        guard bytes.count == Self.size else { return nil }
        text = Z85.text(of: bytes)
    }

    package var description: String { text }
}
