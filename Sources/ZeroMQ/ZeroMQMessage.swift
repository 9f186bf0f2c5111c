/// A message that has come, and who has sent it.
public struct ZeroMQMessage: Sendable, Equatable {
    public var frames: [[UInt8]]
    /// What the ZAP handler has named the peer when it let it in: no word of the peer's own. Nil where no key was asked for.
    public var userID: String?

    /// The connection over which it came; nil where no key was asked for.
    package var connection: PeerConnection?

    package init(frames: [[UInt8]], userID: String? = nil, connection: PeerConnection? = nil) {
        self.frames = frames
        self.userID = userID
        self.connection = connection
    }
}
