import Host
import Logging
import ZeroMQ

/// The coordinator's ROUTER socket, from its endpoints to their removal.
final class Listener {
    /// Between two reports of connections that were refused.
    private static let refusalInterval = Duration.seconds(10)
    /// Milliseconds for what is still queued at the end: farewells. Workers that miss theirs notice the silence.
    private static let linger: Int32 = 200

    private let listen: String?
    private var folder: String?
    private var socket: ZeroMQSocket?
    /// When refused connections were reported last; nil before the first time.
    private var reportedAt: Duration?

    /// - Parameter listen: where other workers may join; nil for a private endpoint alone.
    init(listen: String?) { self.listen = listen }

    /// - Parameter local: the workers of this process, which have the private endpoint already.
    /// - Returns: the socket, and where workers of others can join it.
    func open(on loop: SocketLoop, local: LocalWorkers?) throws -> (socket: ZeroMQSocket, endpoints: [String]) {
        let socket = try loop.makeSocket(.router)
        self.socket = socket
        var endpoints: [String] = []
        if local != nil || listen == nil {
            let folder = try local?.folder ?? Endpoint.makePrivateFolder()
            self.folder = folder
            try socket.bind(PrivateEndpoint.inside(folder))
            if local == nil { endpoints.append(PrivateEndpoint.inside(folder)) }
        }
        if let listen {
            // Asked once more: the plan took its time.
            try Endpoint.check(listen)
            ConnectionGuard.limit(
                connectionsBelow: CoordinatorLimits.bound(workers: local?.wanted ?? 0),
                except: folder.map(PrivateEndpoint.inside))
            try socket.bind(listen)
            endpoints.append(socket.lastEndpoint())
        }
        return (socket, endpoints)
    }

    func close(on loop: SocketLoop) {
        if let socket {
            // It fails for a socket that is broken, which has nothing queued.
            try? socket.linger(milliseconds: Self.linger)
            loop.unwatch(socket)
            socket.close()
        }
        socket = nil
        removeFolder()
    }

    func removeFolder() {
        if let folder { PrivateEndpoint.remove(PrivateEndpoint.inside(folder)) }
    }

    /// Says once in a while that strangers' connections were refused: they must not take the descriptors that the coordinator
    /// and its own workers need.
    func reportRefusals(now: Duration, to log: Logger) {
        guard listen != nil, reportedAt.map({ now >= $0 + Self.refusalInterval }) ?? true else { return }
        let refused = ConnectionGuard.takeRefused()
        guard refused > 0 else { return }
        reportedAt = now
        log.error(
            "\(refused) connections were refused: too many files are open. Local workers go on; ulimit -n raises the limit"
        )
    }
}
