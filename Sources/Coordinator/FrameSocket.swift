import ZeroMQ

/// What a `WorkerLink` needs of a ROUTER socket: messages whose first frame is the peer's address.
protocol FrameSocket {
    /// Sends one message, or throws without blocking and with nothing sent.
    func send(_ frames: [[UInt8]]) throws(ZeroMQError)
    /// Takes the next message, or nil when none waits.
    func receive() throws(ZeroMQError) -> [[UInt8]]?
}

extension ZeroMQSocket: FrameSocket {}
