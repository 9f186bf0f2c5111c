import CZeroMQ

/// Bytes as text, as ZeroMQ writes its keys. libzmq itself reads characters outside of the alphabet as others.
enum Z85 {
    private static let alphabet = Set(
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#".utf8)

    /// - Returns: nil when the text is none of a key's length.
    static func bytes(of text: some StringProtocol) -> [UInt8]? {
        guard text.utf8.count == CurvePublicKey.length, text.utf8.allSatisfy({ alphabet.contains($0) }) else {
            return nil
        }
        var bytes = [UInt8](repeating: 0, count: CurvePublicKey.size)
        guard zmq_z85_decode(&bytes, String(text)) != nil else { return nil }
        return bytes
    }

    /// - Parameter bytes: those of a key.
    static func text(of bytes: [UInt8]) -> String {
        var text = [CChar](repeating: 0, count: CurvePublicKey.length + 1)
        zmq_z85_encode(&text, bytes, bytes.count)
        return String(decoding: text.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
