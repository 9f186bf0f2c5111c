import CZeroMQ

/// Tells how the handshakes of one socket end. It belongs to the socket loop's thread.
package final class HandshakeMonitor {
    let socket: ZeroMQSocket
    private let watched: ZeroMQSocket

    /// Begins to look at a socket, which must not have been connected yet.
    package init(of watched: ZeroMQSocket, on loop: SocketLoop) throws(ZeroMQError) {
        let endpoint = "inproc://handshakes-\(UInt(bitPattern: watched.raw))"
        guard zmq_socket_monitor(watched.raw, endpoint, HandshakeEvent.mask) == 0 else {
            throw ZeroMQError("zmq_socket_monitor")
        }
        self.watched = watched
        socket = try loop.makeSocket(.pair)
        do throws(ZeroMQError) {
            // libzmq's thread would wait for room, and with it all of this process's connections.
            try socket.set(ZMQ_RCVHWM, 0)
            try socket.connect(endpoint)
        } catch {
            socket.close()
            throw error
        }
    }

    /// Calls `handler` on the thread whenever a handshake has ended.
    package func watch(on loop: SocketLoop, _ handler: @escaping () -> Void) { loop.watch(socket, handler) }

    /// The next event that has come; nil when none has.
    package func next() -> HandshakeEvent? {
        // A monitor whose socket is closed says nothing any more.
        while let message = (try? socket.receive()) ?? nil {
            if let event = message.frames.first.flatMap({ HandshakeEvent(frame: $0) }) { return event }
        }
        return nil
    }

    /// Call it before the watched socket is closed.
    package func close(on loop: SocketLoop) {
        // Stopped first: without a reader the next event would hold up libzmq's thread for ever.
        zmq_socket_monitor(watched.raw, nil, 0)
        loop.unwatch(socket)
        socket.close()
    }
}
