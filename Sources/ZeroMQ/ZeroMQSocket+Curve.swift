import CZeroMQ

// Keys of the two ends. They hold for the endpoints that the socket binds or connects to afterwards; those before keep what
// they had, so one socket may have a private endpoint without keys beside one with them.
extension ZeroMQSocket {
    /// Not empty: with an empty domain libzmq asks nobody, and any key gets in.
    private static let domain = "coord"

    /// Takes only peers that the loop's `Authenticator` lets in, at the endpoints that are bound from now on.
    package func demandKeys(as own: CurveKeyPair) throws(ZeroMQError) {
        try set(ZMQ_CURVE_SERVER, 1)
        try set(ZMQ_CURVE_SECRETKEY, own.secret)
        try set(ZMQ_ZAP_DOMAIN, Self.domain)
        // Without it any key gets in where no handler is bound.
        try set(COORD_ZMQ_ZAP_ENFORCE_DOMAIN, 1)
    }

    /// Connects from now on only to peers that have the secret of `server`.
    package func present(_ own: CurveKeyPair, to server: CurvePublicKey) throws(ZeroMQError) {
        try set(ZMQ_CURVE_SERVERKEY, server.text)
        try set(ZMQ_CURVE_PUBLICKEY, own.publicKey.text)
        try set(ZMQ_CURVE_SECRETKEY, own.secret)
    }

    /// Whether names and addresses are those of IPv6, with IPv4 mapped into it, or of IPv4 alone.
    package func useIPv6(_ isUsed: Bool) throws(ZeroMQError) { try set(ZMQ_IPV6, isUsed ? 1 : 0) }

    private func set(_ option: Int32, _ text: String) throws(ZeroMQError) {
        // The text may be a secret, and so is no part of the error.
        guard zmq_setsockopt(raw, option, text, text.utf8.count) == 0 else {
            throw ZeroMQError("zmq_setsockopt(\(option))")
        }
    }

    private func set<Number: BinaryInteger>(_ option: Number, _ value: Int32) throws(ZeroMQError) {
        try set(Int32(option), value)
    }
}
