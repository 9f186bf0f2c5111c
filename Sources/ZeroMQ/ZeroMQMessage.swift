/// A message that has come, and who has sent it.
public struct ZeroMQMessage: Sendable, Equatable {
    public var frames: [[UInt8]]
    /// What the ZAP handler has named the peer when it let it in: no word of the peer's own. Nil where no key was asked for.
    public var userID: String?

    public init(frames: [[UInt8]], userID: String? = nil) {
        self.frames = frames
        self.userID = userID
    }
}
