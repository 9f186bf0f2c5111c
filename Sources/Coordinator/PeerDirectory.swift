import Report
import Sharding
import ZeroMQ

/// The workers that have said HELLO, with the address and the process of each.
///
/// The directory sends nothing. A worker that says HELLO asks to join, and joins once it can work. Its id belongs to the
/// key that first said HELLO with it, as long as the worker is known: a peer with another key, or none, is not that worker.
struct PeerDirectory {
    struct Peer: Equatable {
        var address: [UInt8]
        /// The worker's key; nil at an endpoint without keys.
        var key: CurvePublicKey?
        /// The connection of its last message; nil at an endpoint without keys.
        var connection: PeerConnection?
        /// The time of its last HELLO. A worker that never gets ready may be gone.
        var greetedAt: Duration
        /// Whether this process has spawned the worker, and so sees its end.
        var isLocal: Bool
        /// The worker's process, once the worker has joined.
        var process: ProcessName?
    }

    private var peers: [WorkerID: Peer] = [:]

    // MARK: - Events

    /// The worker has said HELLO, for the first time or again.
    /// - Returns: false if the id belongs to another key; then nothing is changed.
    mutating func greeted(
        _ worker: WorkerID, at address: [UInt8], key: CurvePublicKey?, isLocal: Bool, now: Duration
    ) -> Bool {
        var peer = peers[worker] ?? Peer(address: address, key: key, greetedAt: now, isLocal: isLocal)
        guard peer.key == key else { return false }
        peer.address = address
        peer.greetedAt = now
        peer.isLocal = peer.isLocal || isLocal
        peers[worker] = peer
        return true
    }

    /// The worker can work.
    mutating func joined(_ worker: WorkerID, as process: ProcessName) { peers[worker]?.process = process }

    /// The worker was heard, perhaps at a new address.
    /// - Returns: false if no worker of this key is known by the id.
    mutating func heard(_ worker: WorkerID, at address: [UInt8], key: CurvePublicKey?) -> Bool {
        guard let peer = peers[worker], peer.key == key else { return false }
        peers[worker]?.address = address
        return true
    }

    mutating func left(_ worker: WorkerID) { peers[worker] = nil }

    /// Time has passed: the workers that asked to join, never did, and are not heard for longer than `limit` are
    /// forgotten.
    /// - Returns: the forgotten workers, in the order of their ids.
    mutating func timePassed(_ limit: Duration, now: Duration) -> [WorkerID] {
        let silent = peers.filter { $0.value.process == nil && now - $0.value.greetedAt > limit }.keys.sorted()
        for worker in silent { peers[worker] = nil }
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

    /// The worker's message came over this connection.
    mutating func connected(_ worker: WorkerID, over connection: PeerConnection?) {
        peers[worker]?.connection = connection
    }

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
}
