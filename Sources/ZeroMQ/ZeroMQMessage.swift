/// A message that has come, and who has sent it.
public struct ZeroMQMessage: Sendable, Equatable {
    public var frames: [[UInt8]]
    /// What the ZAP handler has named the peer when it let it in: no word of the peer's own. Nil where no key was asked for.
    public var userID: String?

    /// The process that has sent it over an ipc endpoint without keys, by the kernel's word; nil over a network.
    package var process: Int32?

    /// The connection over which it came to a ROUTER; nil once it is closed.
    package var connection: PeerConnection?

    package init(
        frames: [[UInt8]], userID: String? = nil, process: Int32? = nil, connection: PeerConnection? = nil
    ) {
        self.frames = frames
        self.userID = userID
        self.process = process
        self.connection = connection
    }
}
