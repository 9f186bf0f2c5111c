import Logging
import Report
import Sharding
import Wire
import ZeroMQ

/// Carries the messages between a coordinator and its workers, and knows the address of each worker.
///
/// It answers what needs no decision about the run: it welcomes or refuses a worker that says HELLO, answers
/// heartbeats, and asks strangers to say HELLO. Everything else is an event for the run's leader. The sender of a message
/// is known by the key of its connection, never by what the message says. The link belongs to the socket loop's thread.
final class WorkerLink {
    /// The time between two looks for workers that never got ready.
    static let lookInterval = Duration.seconds(1)
    /// Between the last word to a revoked worker and the end of its connection.
    static let mercy = Duration.seconds(1)

    private var admission: Admission
    /// How long a worker that asked to join may be silent before it is forgotten.
    private let patience: Duration
    private let ownsProcess: (ProcessName) -> Bool
    /// Who may join by its key; nil where no keys are demanded.
    private let gatekeeper: Gatekeeper?
    private let log: Logger
    private var socket: (any FrameSocket)?
    private var peers = PeerDirectory()
    private var lookedAt = Duration.zero
    /// Connections of revoked keys, and when they are cut, so that what their workers are told arrives before.
    private var condemned: [PeerConnection: Duration] = [:]

    /// - Parameter ownsProcess: whether this process has spawned the process with that pid.
    init(
        admission: Admission, patience: Duration, log: Logger, gatekeeper: Gatekeeper? = nil,
        ownsProcess: @escaping (ProcessName) -> Bool
    ) {
        self.admission = admission
        self.patience = patience
        self.log = log
        self.ownsProcess = ownsProcess
        self.gatekeeper = gatekeeper
    }

    /// Sends and receives over this socket from now on.
    func open(_ socket: any FrameSocket) { self.socket = socket }

    /// Sends and receives nothing any more.
    func close() { socket = nil }

    // MARK: - Receiving

    /// Takes all messages that have come, one after another: what follows from one message may change how the next is
    /// handled.
    func receive(now: Duration, _ deliver: (LinkEvent) -> Void) {
        do {
            while let message = try socket?.receive() {
                guard message.frames.count == 2, let sender = sender(of: message, now: now) else { continue }
                do {
                    let (worker, body) = try WorkerMessage.decode(message.frames[1])
                    if let event = take(body, of: worker, from: sender, now: now) { deliver(event) }
                } catch {
                    log.warning("a message was dropped: \(error)")
                }
            }
        } catch {
            log.error("cannot receive: \(error)")
        }
    }

    /// Where a message came from, and by which key.
    private struct Sender {
        var address: [UInt8]
        var key: CurvePublicKey?
        var connection: PeerConnection?
    }

    /// - Returns: nil where the message is not taken: its sender has a key that may not join, or not any more.
    private func sender(of message: ZeroMQMessage, now: Duration) -> Sender? {
        let address = message.frames[0]
        guard let user = message.userID else { return Sender(address: address) }
        // A connection outlives its key's place in the list.
        guard let key = CurvePublicKey(user), gatekeeper?.name(of: key) != nil else {
            send(.refused(Self.revocation), at: address)
            condemn(message.connection, now: now)
            return nil
        }
        return Sender(address: address, key: key, connection: message.connection)
    }

    private static let revocation = Refusal(
        reason: "its key was revoked", mend: "coord keys new NAME   on the coordinator's host makes another")

    private func take(_ message: WorkerMessage, of worker: WorkerID, from sender: Sender, now: Duration)
        -> LinkEvent?
    {
        if peers.belongs(worker, toOtherThan: sender.key) { return refuse(worker, claimedBy: sender) }
        defer { peers.connected(worker, over: sender.connection) }
        switch message {
        case .hello(let hello): return greet(worker, hello, from: sender, now: now)
        case .heartbeat(let heartbeat):
            guard peers.heard(worker, at: sender.address, key: sender.key) else {
                send(.rejoin, at: sender.address)
                return nil
            }
            send(.alive(admission.welcome.turnTaking), at: sender.address)
            return event(of: worker, .reported(heartbeat))
        case .shardDone(let lease): return event(of: worker, .shardDone(lease))
        case .shardFailed(let failure): return event(of: worker, .shardFailed(failure))
        case .leaseReleased(let lease): return event(of: worker, .leaseReleased(lease))
        case .leaseLost(let lease): return event(of: worker, .leaseLost(lease))
        case .turnWanted(let rows): return event(of: worker, .turnWanted(rows: rows))
        case .turnEnded(let rows): return event(of: worker, .turnEnded(rows: rows))
        case .goodbye(let reason):
            defer { peers.left(worker) }
            return event(of: worker, .left(reason: reason))
        }
    }

    /// Nothing of what it says is heard: it would be another's word.
    private func refuse(_ worker: WorkerID, claimedBy sender: Sender) -> LinkEvent? {
        let name = sender.key.flatMap { gatekeeper?.name(of: $0) } ?? "no key"
        log.error("a worker with \(name) claims to be worker \(worker), which has another key: it is refused")
        let refusal = Refusal(reason: "its id belongs to another key", mend: "start the worker again")
        send(.refused(refusal), at: sender.address)
        return nil
    }

    private func greet(_ worker: WorkerID, _ hello: Hello, from sender: Sender, now: Duration) -> LinkEvent? {
        let address = sender.address
        let process = ProcessName(host: hello.host, pid: hello.pid)
        // A process of this one has no key, whatever a peer with one says of itself.
        let isLocal = sender.key == nil && ownsProcess(process)
        if let refusal = admission.refusal(of: hello) {
            send(.refused(refusal), at: address)
            return LinkEvent(
                worker: worker, process: process, isLocal: isLocal, kind: .refused(reason: refusal.reason))
        }
        guard peers.greeted(worker, at: address, key: sender.key, isLocal: isLocal, now: now) else { return nil }
        send(.welcome(admission.welcome), at: address)
        guard hello.isReady else { return event(of: worker, .asked(process, problem: hello.problem)) }
        peers.joined(worker, as: process)
        return event(of: worker, .joined(process, credit: hello.credit))
    }

    private func event(of worker: WorkerID, _ kind: LinkEvent.Kind) -> LinkEvent {
        LinkEvent(
            worker: worker, process: peers[worker]?.process, isLocal: peers[worker]?.isLocal ?? false, kind: kind)
    }

    // MARK: - Sending

    /// Sends a message. If it does not arrive, a later message says the same.
    func send(_ message: CoordinatorMessage, to worker: WorkerID) {
        guard let address = peers[worker]?.address else { return }
        send(message, at: address)
    }

    /// Sends a message to all workers, including those that have not joined yet.
    func sendToAll(_ message: CoordinatorMessage) {
        for address in peers.addresses { send(message, at: address) }
    }

    private func send(_ message: CoordinatorMessage, at address: [UInt8]) {
        do {
            try socket?.send([address, message.encoded()])
        } catch let error as ZeroMQError where error.isUnreachable || error.isFull {
            // The worker is gone or stuck. Its heartbeats, or their absence, decide what follows.
            log.debug("not sent: \(error)")
        } catch {
            log.error("not sent: \(error)")
        }
    }

    /// Whether workers write in turns has changed: all are told.
    func turnsChange(to taking: TurnTaking) {
        admission.welcome.turnTaking = taking
        sendToAll(.alive(taking))
    }

    // MARK: - Workers that are gone

    /// Forgets a worker that is taken for dead.
    /// - Returns: what is known of the worker, if it had asked to join.
    func forget(_ worker: WorkerID) -> PeerDirectory.Peer? {
        defer { peers.left(worker) }
        return peers[worker]
    }

    /// A key was revoked: its workers are told so, and no message of theirs is taken any more.
    func revoked(_ revocation: Gatekeeper.Revocation, now: Duration) -> [LinkEvent] {
        peers.workers(of: revocation.key).map { worker in
            defer { peers.left(worker) }
            send(.refused(Self.revocation), to: worker)
            condemn(peers[worker]?.connection, now: now)
            return event(of: worker, .revoked(key: revocation.name))
        }
    }

    private func condemn(_ connection: PeerConnection?, now: Duration) {
        guard let connection, condemned[connection] == nil else { return }
        condemned[connection] = now + Self.mercy
    }

    /// A local process has ended.
    /// - Returns: the worker of that process, if it had joined.
    func processEnded(_ pid: Int32) -> WorkerID? {
        guard let worker = peers.local(pid: pid) else { return nil }
        peers.left(worker)
        return worker
    }

    /// Forgets the workers that asked to join, never did, and are not heard any more.
    func timePassed(now: Duration) -> [LinkEvent] {
        guard now - lookedAt >= Self.lookInterval else { return [] }
        lookedAt = now
        for (connection, moment) in condemned where now >= moment {
            connection.cut()
            condemned[connection] = nil
        }
        return peers.timePassed(patience, now: now).map { event(of: $0, .forgotten) }
    }

    // MARK: - Queries

    /// Whether no worker is left that could be told anything.
    var isEmpty: Bool { peers.isEmpty }

    /// Whether a foreign worker may still be there: it works, or had asked to join not long before `end`.
    func hasForeign(at end: Duration) -> Bool { peers.hasForeign(within: patience, of: end) }
}
