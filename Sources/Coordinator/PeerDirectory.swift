import Report
import Sharding
import ZeroMQ

/// The workers that have said HELLO, with the address and the process of each.
///
/// The directory sends nothing. A worker that says HELLO asks to join, and joins once it can work. Its id belongs to the
/// key that first said HELLO with it, as long as the worker is known: a peer with another key, or none, is not that worker.
/// An address speaks for one worker, so nobody is more workers than it has connections.
struct PeerDirectory {
    struct Peer: Equatable {
        var address: [UInt8]
        /// The worker's key; nil at an endpoint without keys.
        var key: CurvePublicKey?
        /// The connection of its last message; nil where it is not known.
        var connection: PeerConnection?
        /// The time of its last HELLO. A worker that never gets ready may be gone.
        var greetedAt: Duration
        /// Whether this process has spawned the worker, and so sees its end.
        var isLocal: Bool
        /// The worker's process, once the worker has joined.
        var process: ProcessName?
    }

    /// The most workers that this process has not spawned, of all keys and of one. Those without a key count as of one.
    static let limit = 512
    static let limitOfKey = 128
    /// The most ids that one key may begin to use within `arrivalInterval`: each leaves a row in the ledger.
    static let arrivalLimit = 256
    static let arrivalInterval = Duration.seconds(60)

    private var peers: [WorkerID: Peer] = [:]
    private var workers: [[UInt8]: WorkerID] = [:]
    private var foreign: [CurvePublicKey?: Int] = [:]
    /// Since when a key's new ids are counted, and their number.
    private var arrivals: [CurvePublicKey?: (since: Duration, count: Int)] = [:]

    // MARK: - Events

    /// The worker has said HELLO, for the first time or again.
    /// - Returns: why it is not taken; then nothing is changed.
    mutating func greeted(
        _ worker: WorkerID, at address: [UInt8], key: CurvePublicKey?, isLocal: Bool, now: Duration
    ) -> JoinObstacle? {
        if let obstacle = obstacle(worker, at: address, key: key, isLocal: isLocal, now: now) { return obstacle }
        if peers[worker] == nil {
            peers[worker] = Peer(address: address, key: key, greetedAt: now, isLocal: isLocal)
            if !isLocal {
                foreign[key, default: 0] += 1
                arrivals[key, default: (now, 0)].count += 1
            }
        }
        move(worker, to: address)
        peers[worker]?.greetedAt = now
        return nil
    }

    /// The worker can work.
    mutating func joined(_ worker: WorkerID, as process: ProcessName) { peers[worker]?.process = process }

    /// The worker was heard, perhaps at a new address.
    /// - Returns: false if no worker of this key is known by the id, or the address speaks for another.
    mutating func heard(_ worker: WorkerID, at address: [UInt8], key: CurvePublicKey?) -> Bool {
        guard let peer = peers[worker], peer.key == key, speaks(address, for: worker) else { return false }
        if peer.address != address { move(worker, to: address) }
        return true
    }

    /// The worker's message came over this connection.
    /// - Returns: the connection of its message before, if it was another one.
    mutating func connected(_ worker: WorkerID, over connection: PeerConnection?) -> PeerConnection? {
        guard let peer = peers[worker], peer.connection != connection else { return nil }
        peers[worker]?.connection = connection
        return peer.connection
    }

    mutating func left(_ worker: WorkerID) {
        guard let peer = peers.removeValue(forKey: worker) else { return }
        workers[peer.address] = nil
        guard !peer.isLocal, let number = foreign[peer.key] else { return }
        foreign[peer.key] = number > 1 ? number - 1 : nil
    }

    /// Time has passed: the workers that asked to join, never did, and are not heard for longer than `limit` are
    /// forgotten.
    /// - Returns: the forgotten workers, in the order of their ids.
    mutating func timePassed(_ limit: Duration, now: Duration) -> [WorkerID] {
        arrivals = arrivals.filter { now - $0.value.since < Self.arrivalInterval }
        let silent = peers.filter { $0.value.process == nil && now - $0.value.greetedAt > limit }.keys.sorted()
        for worker in silent { left(worker) }
        return silent
    }

    // MARK: - Queries

    var isEmpty: Bool { peers.isEmpty }
    var addresses: [[UInt8]] { peers.values.map(\.address) }

    subscript(worker: WorkerID) -> Peer? { peers[worker] }

    /// Whether the id belongs to a known worker with another key.
    func belongs(_ worker: WorkerID, toOtherThan key: CurvePublicKey?) -> Bool {
        peers[worker].map { $0.key != key } ?? false
    }

    /// Whether a message from the address may be the worker's: no other worker has spoken there.
    func speaks(_ address: [UInt8], for worker: WorkerID) -> Bool { workers[address].map { $0 == worker } ?? true }

    /// All workers of a key, in the order of their ids.
    func workers(of key: CurvePublicKey) -> [WorkerID] { peers.filter { $0.value.key == key }.keys.sorted() }

    /// The local worker with this pid.
    func local(pid: Int32) -> WorkerID? {
        peers.first { $0.value.isLocal && $0.value.process?.pid == pid }?.key
    }

    /// Whether a foreign worker may still be there at the end of the run: it works, or asked to join less than `limit`
    /// before the end.
    func hasForeign(within limit: Duration, of end: Duration) -> Bool {
        peers.values.contains { !$0.isLocal && ($0.process != nil || end - $0.greetedAt < limit) }
    }

    // MARK: - Private

    private func obstacle(
        _ worker: WorkerID, at address: [UInt8], key: CurvePublicKey?, isLocal: Bool, now: Duration
    ) -> JoinObstacle? {
        if let peer = peers[worker] {
            // What is local stays so: it is known by its process.
            guard peer.key == key, peer.isLocal == isLocal else { return .otherKey }
            return speaks(address, for: worker) ? nil : .otherWorker
        }
        guard speaks(address, for: worker) else { return .otherWorker }
        if isLocal { return nil }
        if foreign[key, default: 0] >= Self.limitOfKey { return .tooManyOfKey }
        if foreign.values.reduce(0, +) >= Self.limit { return .tooMany }
        if let arrival = arrivals[key], now - arrival.since < Self.arrivalInterval,
            arrival.count >= Self.arrivalLimit
        {
            return .tooOften
        }
        return nil
    }

    private mutating func move(_ worker: WorkerID, to address: [UInt8]) {
        if let old = peers[worker]?.address { workers[old] = nil }
        peers[worker]?.address = address
        workers[address] = worker
    }
}
