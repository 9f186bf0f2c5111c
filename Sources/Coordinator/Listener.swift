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
    /// Who may join at `listen`, where keys are demanded.
    private let gatekeeper: Gatekeeper?
    private var authenticator: Authenticator?
    /// The time of the last report of refused connections; nil before the first.
    private var reportedAt: Duration?

    /// - Parameters:
    ///   - listen: the endpoint where other workers may join; nil for only a private endpoint.
    ///   - gatekeeper: who may join there by its key; nil where no keys are demanded.
    init(listen: String?, gatekeeper: Gatekeeper?) {
        self.listen = listen
        self.gatekeeper = gatekeeper
    }

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
        // The socket has its private endpoint by now, but nobody is admitted.
        ConnectionGuard.limit(
            connectionsBelow: CoordinatorLimits.bound(workers: local?.wanted ?? 0),
            except: local == nil ? nil : folder.map(PrivateEndpoint.inside), isMetered: true)
        if let listen {
            // The endpoint was checked before the plan, which has taken its time.
            try Endpoint.check(listen, demandsKeys: gatekeeper != nil)
            endpoints += try bind(socket, to: listen, on: loop)
        }
        return (socket, endpoints)
    }

    /// - Returns: the endpoints as workers of other hosts write them.
    private func bind(_ socket: ZeroMQSocket, to listen: String, on loop: SocketLoop) throws -> [String] {
        // Before the endpoint is there: without a handler libzmq refuses, and it must not be asked in between.
        if let gatekeeper {
            authenticator = try Authenticator(on: loop) { gatekeeper.admits($0) }
            try socket.demandKeys(as: gatekeeper.own)
        }
        guard let asked = TCPAddress(listen) else {
            try socket.bind(listen)
            return [socket.lastEndpoint()]
        }
        var endpoints: [String] = []
        for address in asked.resolved() {
            try bind(socket, to: address)
            let bound = socket.lastEndpoint()
            if let gatekeeper { try prove(bound, gatekeeper, on: loop) }
            endpoints.append(TCPAddress(bound)?.reached(at: HostName.current).endpoint ?? bound)
        }
        return endpoints
    }

    private func bind(_ socket: ZeroMQSocket, to address: TCPAddress) throws {
        try socket.useIPv6(address.isIPv6)
        do {
            try socket.bind(address.endpoint)
        } catch {
            // A host may have no IPv6 at all.
            guard address.host == "*" else { throw error }
            try socket.useIPv6(false)
            try socket.bind(address.endpoint)
        }
    }

    private func prove(_ endpoint: String, _ gatekeeper: Gatekeeper, on loop: SocketLoop) throws {
        guard let authenticator, let near = TCPAddress(endpoint)?.near.endpoint else { return }
        let outcome = try StrangerProof.run(at: near, server: gatekeeper.own.publicKey, authenticator, on: loop)
        // It was no stranger that anybody need hear of.
        _ = gatekeeper.takeStrangers()
        switch outcome {
        case .refused: return
        case .letIn: throw CoordinatorError.strangersNotRefused(endpoint, reason: "a key that was just made got in")
        case .unclear:
            throw CoordinatorError.strangersNotRefused(
                endpoint, reason: "the try ended otherwise, or not within \(StrangerProof.patience / 1000) s")
        }
    }

    func close(on loop: SocketLoop) {
        if let socket {
            // This fails for a broken socket, which has nothing queued.
            try? socket.linger(milliseconds: Self.linger)
            loop.unwatch(socket)
            socket.close()
        }
        socket = nil
        authenticator?.close(on: loop)
        authenticator = nil
        removeFolder()
    }

    func removeFolder() {
        if let folder { PrivateEndpoint.remove(PrivateEndpoint.inside(folder)) }
    }

    /// Reports from time to time that foreign connections were refused, since they must not use up the descriptors of
    /// the coordinator and its own workers, or were cut off, since they were no workers'.
    func reportRefusals(now: Duration, to log: Logger) {
        guard reportedAt.map({ now >= $0 + Self.refusalInterval }) ?? true else { return }
        let (refused, cuts) = (ConnectionGuard.takeRefused(), ConnectionGuard.takeCuts())
        guard refused > 0 || !cuts.isEmpty else { return }
        reportedAt = now
        if refused > 0 {
            log.error(
                "\(refused) connections were refused: too many files are open. Local workers go on; ulimit -n raises the limit"
            )
        }
        for (reason, number) in cuts.sorted(by: { $0.key < $1.key }) {
            log.error("\(number) connections were cut off: \(reason). The others go on")
        }
    }
}
