import ZeroMQ

/// The calls that a `WorkerLink` needs of a ROUTER socket. The first frame of each message is the peer's address.
protocol FrameSocket {
    /// Sends one message. If it throws, nothing was sent. It never blocks.
    func send(_ frames: [[UInt8]]) throws(ZeroMQError)
    /// Takes the next message, or nil when none waits.
    func receive() throws(ZeroMQError) -> ZeroMQMessage?
}

extension ZeroMQSocket: FrameSocket {}
