/// What libzmq asks about a peer that wants to connect, by ZAP 1.0 (RFC 27).
package struct ZAPRequest: Equatable, Sendable {
    static let version = Array("1.0".utf8)
    private static let mechanism = Array("CURVE".utf8)
    /// Version, request, domain, address, identity, mechanism, key.
    private static let frameCount = 7

    /// By which libzmq knows its question again.
    var number: [UInt8]
    /// The peer's IP address.
    package var address: String
    package var key: CurvePublicKey

    /// - Returns: nil where the frames are no question about a CURVE key.
    init?(frames: [[UInt8]]) {
        guard frames.count == Self.frameCount, frames[0] == Self.version, frames[5] == Self.mechanism,
            let key = CurvePublicKey(bytes: frames[6])
        else { return nil }
        number = frames[1]
        address = String(decoding: frames[3], as: UTF8.self)
        self.key = key
    }

    /// The answer. Who is let in is known by its key from now on; who is not learns that its key is the reason.
    func reply(isAllowed: Bool) -> [[UInt8]] {
        let status = isAllowed ? ("200", "OK") : ("400", "this key is not allowed")
        let user = isAllowed ? key.text : ""
        return [Self.version, number, Array(status.0.utf8), Array(status.1.utf8), Array(user.utf8), []]
    }

    /// The answer to what is no question about a CURVE key.
    static func refusal(of frames: [[UInt8]]) -> [[UInt8]] {
        [version, frames.count > 1 ? frames[1] : [], Array("400".utf8), Array("only CURVE is taken".utf8), [], []]
    }
}
