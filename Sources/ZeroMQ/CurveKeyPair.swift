import CZeroMQ
import Glibc
import Host

/// A CURVE key pair. Its secret is written to the key's own file and given to libzmq, and nowhere else: no text of this type
/// has it. A process that has one leaves no core dump.
package struct CurveKeyPair: Sendable, CustomStringConvertible, CustomReflectable {
    package let publicKey: CurvePublicKey
    package let secret: String

    /// A new pair.
    /// - Throws: `ZeroMQError` when this libzmq was built without CURVE.
    package static func generate() throws(ZeroMQError) -> CurveKeyPair {
        var publicKey = [CChar](repeating: 0, count: CurvePublicKey.length + 1)
        var secret = publicKey
        guard zmq_has("curve") == 1, zmq_curve_keypair(&publicKey, &secret) == 0 else {
            throw ZeroMQError("no key pair can be made: this libzmq was built without CURVE", code: ENOTSUP)
        }
        guard let pair = CurveKeyPair(secret: text(secret)) else { throw ZeroMQError("zmq_curve_keypair") }
        return pair
    }

    /// - Returns: nil when the text is no secret key.
    package init?(secret: some StringProtocol) {
        var publicKey = [CChar](repeating: 0, count: CurvePublicKey.length + 1)
        guard Z85.bytes(of: secret) != nil, zmq_curve_public(&publicKey, String(secret)) == 0,
            let key = CurvePublicKey(Self.text(publicKey))
        else { return nil }
        ProcessSecrecy.begin()
        self.publicKey = key
        self.secret = String(secret)
    }

    private static func text(_ buffer: [CChar]) -> String {
        String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    package var description: String { "key pair \(publicKey)" }
    package var customMirror: Mirror { Mirror(self, children: ["publicKey": publicKey]) }
}
