import Host
import Logging
import ZeroMQ

/// The coordinator's ROUTER socket, with its endpoints and their folder.
final class Listener {
    /// The time between two reports of refused connections.
    private static let refusalInterval = Duration.seconds(10)
    /// Milliseconds for messages that are still queued at the end: farewells. A worker that misses its farewell notices
    /// the silence.
    private static let linger: Int32 = 200

    private let listen: String?
    private var folder: String?
    private var socket: ZeroMQSocket?
    /// The time of the last report of refused connections; nil before the first.
    private var reportedAt: Duration?

    /// - Parameter listen: the endpoint where other workers may join; nil for only a private endpoint.
    init(listen: String?) { self.listen = listen }

    /// - Parameter local: the local workers, which know the private endpoint already.
    /// - Returns: the socket, and the endpoints where foreign workers can join.
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
            // The endpoint was checked before the plan, which has taken its time.
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
            // This fails for a broken socket, which has nothing queued.
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

    /// Reports from time to time that foreign connections were refused, since they must not use up the descriptors of
    /// the coordinator and its own workers.
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
