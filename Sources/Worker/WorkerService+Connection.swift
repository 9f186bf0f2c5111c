import Logging
import ZeroMQ

// The socket of a worker: which of the coordinator's addresses it is connected to, and what becomes of it.
extension WorkerService {
    struct Connection {
        var book: AddressBook
        var socket: ZeroMQSocket?
        var monitor: HandshakeMonitor?
        /// When the socket was opened.
        var openedAt = Duration.zero
        /// The socket has had a peer since.
        var isConnected = false
        /// When to connect to the book's place; nil where nothing is to be changed.
        var movesAt: Duration?
        /// What was told against the addresses last.
        var told = ""

        init(book: AddressBook) { self.book = book }
    }

    /// Between a broken handshake and the next try. Longer than a coordinator takes to read its list anew for an unknown key.
    static let moveInterval = Duration.milliseconds(250)

    func openSocket() throws {
        closeSocket(linger: 0)
        connection.openedAt = now
        connection.isConnected = false
        connection.movesAt = nil
        let place = connection.book.place
        let fresh = try loop.makeSocket(.dealer)
        connection.socket = fresh
        if let keys = connection.book.keys { try fresh.present(keys.own, to: keys.coordinator) }
        try fresh.useIPv6(place.usesIPv6)
        // At a file there are no keys that could be refused.
        if place.endpoint.hasPrefix("tcp://") {
            let monitor = try HandshakeMonitor(of: fresh, on: loop)
            connection.monitor = monitor
            monitor.watch(on: loop) { [unowned self] in assumeIsolated { $0.handshakesEnded() } }
        }
        try fresh.connect(place.endpoint)
        loop.watch(fresh) { [unowned self] in assumeIsolated { $0.receive() } }
        // Not before: without a peer nothing can be sent.
        loop.whenConnected(fresh) { [unowned self] in assumeIsolated { $0.connected() } }
    }

    /// - Parameter linger: milliseconds for what is still queued.
    func closeSocket(linger: Int32) {
        connection.monitor?.close(on: loop)
        connection.monitor = nil
        if let socket = connection.socket {
            // Best effort: what does not leave in time is made good by the lease's expiry.
            try? socket.linger(milliseconds: linger)
            loop.unwatch(socket)
            socket.close()
        }
        connection.socket = nil
    }

    /// Goes to the next address when it is time to.
    func lookAtConnection() {
        if connection.movesAt == nil, !connection.isConnected, now - connection.openedAt > AddressBook.patience {
            if connection.book.unreachable() == .move { connection.movesAt = now }
        }
        guard let moment = connection.movesAt, now >= moment else { return }
        log.info("connecting to \(connection.book.place.endpoint)")
        do { try openSocket() } catch { finish(.failure(error)) }
    }

    private func connected() {
        connection.isConnected = true
        if !prepared { greet() }
    }

    private func handshakesEnded() {
        while ended == nil, let event = connection.monitor?.next() {
            switch connection.book.ended(event) {
            case .wait: break
            case .move: connection.movesAt = now + Self.moveInterval
            case .giveUp(let reason):
                return finish(
                    .failure(WorkerError(.unauthorized, description: "no coordinator takes this worker: \(reason)")))
            }
            let reasons = connection.book.reasons
            if reasons != connection.told, !reasons.isEmpty { log.error("\(reasons)") }
            connection.told = reasons
        }
    }
}
