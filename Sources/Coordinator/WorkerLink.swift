import Logging
import Report
import Sharding
import Wire
import ZeroMQ

/// Carries the messages between a coordinator and its workers, and knows the address of each worker.
///
/// It answers what needs no decision about the run: it welcomes or refuses a worker that says HELLO, answers
/// heartbeats, and asks strangers to say HELLO. Everything else is an event for the run's leader. The sender of a message
/// is known by its connection: by the key, or by the kernel's word which process is at the other end; never by what the
/// message says. The link belongs to the socket loop's thread.
final class WorkerLink {
    /// The time between two looks for workers that never got ready.
    static let lookInterval = Duration.seconds(1)
    /// Between the last word to a peer and the end of its connection.
    static let mercy = Duration.seconds(1)
    /// The most messages that are taken before the loop turns to other work, such as its ticks.
    static let batch = 256

    private var admission: Admission
    /// How long a worker that asked to join may be silent before it is forgotten.
    private let patience: Duration
    private let ownsProcess: (Int32) -> Bool
    /// Who may join by its key; nil where no keys are demanded.
    let gatekeeper: Gatekeeper?
    private let log: Logger
    private var complaints = Complaints()
    private var socket: (any FrameSocket)?
    private var peers = PeerDirectory()
    private var lookedAt = Duration.zero
    /// Connections that nothing more is taken of, and when they are cut, so that what their peers are told arrives before.
    private var condemned: [PeerConnection: Duration] = [:]

    /// - Parameter ownsProcess: whether this process has spawned the process with that pid.
    init(
        admission: Admission, patience: Duration, log: Logger, gatekeeper: Gatekeeper? = nil,
        ownsProcess: @escaping (Int32) -> Bool
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

    /// Takes the messages that have come, one after another: what follows from one message may change how the next is
    /// handled. Of very many it takes some, and the socket says again that there are more.
    func receive(now: Duration, _ deliver: (LinkEvent) -> Void) {
        do {
            for _ in 0..<Self.batch {
                guard let message = try socket?.receive() else { return }
                guard let sender = sender(of: message, now: now) else { continue }
                if let event = take(message.frames, from: sender, now: now) { deliver(event) }
            }
        } catch {
            log.error("cannot receive: \(error)")
        }
    }

    private func take(_ frames: [[UInt8]], from sender: Sender, now: Duration) -> LinkEvent? {
        guard frames.count == 2 else {
            reject(sender, reason: "its message has \(frames.count - 1) parts", now: now)
            return nil
        }
        do {
            let (worker, body) = try WorkerMessage.decode(frames[1])
            return take(body, of: worker, from: sender, now: now)
        } catch {
            reject(sender, reason: "its message cannot be read: \(error)", now: now)
            return nil
        }
    }

    /// Where a message came from, and by which key.
    private struct Sender {
        var address: [UInt8]
        var key: CurvePublicKey?
        /// The process at the other end, by the kernel's word; nil where a key was asked for, and over a network.
        var process: Int32?
        var connection: PeerConnection?
    }

    /// - Returns: nil where the message is not taken: nothing more is taken of its connection, or its sender has a key that
    ///   may not join, or not any more.
    private func sender(of message: ZeroMQMessage, now: Duration) -> Sender? {
        if let connection = message.connection, condemned[connection] != nil { return nil }
        let address = message.frames[0]
        guard let user = message.userID else {
            return Sender(address: address, process: message.process, connection: message.connection)
        }
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
        if let obstacle = claim(worker, by: sender) {
            refuse(worker, from: sender, for: obstacle, now: now)
            return nil
        }
        if case .hello(let hello) = message { return greet(worker, hello, from: sender, now: now) }
        guard peers.heard(worker, at: sender.address, key: sender.key) else {
            // Nobody waits for the word of a worker that has gone.
            if case .goodbye = message { return nil }
            send(.rejoin, at: sender.address)
            return nil
        }
        connected(worker, from: sender)
        return hear(message, of: worker, from: sender)
    }

    /// Why a message in the name of this worker is not its own; nil if it may be.
    private func claim(_ worker: WorkerID, by sender: Sender) -> JoinObstacle? {
        if peers.belongs(worker, toOtherThan: sender.key) { return .otherKey }
        return peers.speaks(sender.address, for: worker) ? nil : .otherWorker
    }

    private func hear(_ message: WorkerMessage, of worker: WorkerID, from sender: Sender) -> LinkEvent? {
        switch message {
        case .heartbeat(let heartbeat):
            send(.alive(admission.welcome.turnTaking), at: sender.address)
            return event(of: worker, .reported(heartbeat))
        case .goodbye(let reason):
            defer {
                peers.left(worker)
                if let connection = sender.connection { ConnectionGuard.disown(connection) }
            }
            return event(of: worker, .left(reason: reason))
        default: break
        }
        // What follows is about leases and turns, and only those that have joined have any.
        guard peers[worker]?.process != nil else { return nil }
        switch message {
        case .shardDone(let lease): return event(of: worker, .shardDone(lease))
        case .shardFailed(let failure): return event(of: worker, .shardFailed(failure))
        case .leaseReleased(let lease): return event(of: worker, .leaseReleased(lease))
        case .leaseLost(let lease): return event(of: worker, .leaseLost(lease))
        case .turnWanted(let rows): return event(of: worker, .turnWanted(rows: rows))
        case .turnEnded(let rows): return event(of: worker, .turnEnded(rows: rows))
        case .hello, .heartbeat, .goodbye: return nil
        }
    }

    private func greet(_ worker: WorkerID, _ hello: Hello, from sender: Sender, now: Duration) -> LinkEvent? {
        let address = sender.address
        // The kernel says which process it is, whatever the peer says of itself.
        let own = sender.process.flatMap { ownsProcess($0) ? $0 : nil }
        let process = ProcessName(host: hello.host, pid: own ?? hello.pid)
        if let refusal = admission.refusal(of: hello) {
            send(.refused(refusal), at: address)
            return LinkEvent(
                worker: worker, process: process, isLocal: own != nil, kind: .refused(reason: refusal.reason))
        }
        if let obstacle = peers.greeted(worker, at: address, key: sender.key, isLocal: own != nil, now: now) {
            refuse(worker, from: sender, for: obstacle, now: now)
            return nil
        }
        connected(worker, from: sender)
        send(.welcome(admission.welcome), at: address)
        guard hello.isReady else { return event(of: worker, .asked(process, problem: hello.problem)) }
        peers.joined(worker, as: process)
        return event(of: worker, .joined(process, credit: hello.credit))
    }

    /// The worker speaks over this connection. One that it had before is of no use to it any more.
    private func connected(_ worker: WorkerID, from sender: Sender) {
        if let connection = sender.connection { ConnectionGuard.vouch(for: connection) }
        peers.connected(worker, over: sender.connection)?.cut()
    }

    // MARK: - Peers that are not listened to

    /// Nothing of what it says is heard: it would be another's word, or one more than there is room for.
    private func refuse(_ worker: WorkerID, from sender: Sender, for obstacle: JoinObstacle, now: Duration) {
        let name = sender.key.flatMap { gatekeeper?.name(of: $0) } ?? "no key"
        switch obstacle {
        case .otherKey:
            complain(
                .error, "a worker with \(name) claims to be worker \(worker), which has another key: it is refused",
                now: now)
        default: complain(.error, "a worker with \(name) is refused: \(obstacle.refusal.reason)", now: now)
        }
        send(.refused(obstacle.refusal), at: sender.address)
        // One that claims another's name over a connection of its own may go on under its own.
        if obstacle != .otherKey { condemn(sender.connection, now: now) }
    }

    /// Its messages are none of this protocol.
    private func reject(_ sender: Sender, reason: String, now: Duration) {
        complain(.warning, "a message was dropped, and its peer is cut off: \(reason)", now: now)
        send(
            .refused(Refusal(reason: reason, mend: "install the same version of coord on both hosts")),
            at: sender.address)
        condemn(sender.connection, now: now)
    }

    /// - Parameter text: with at most a few words of a peer's.
    private func complain(_ level: Logger.Level, _ text: String, now: Duration) {
        guard let left = complaints.arose(now: now) else { return }
        log.log(level: level, "\(text)\(left > 0 ? " (\(left) such lines were left out)" : "")")
    }

    private func condemn(_ connection: PeerConnection?, now: Duration) {
        guard let connection, condemned[connection] == nil else { return }
        condemned[connection] = now + Self.mercy
        ConnectionGuard.disown(connection)
    }

    private func event(of worker: WorkerID, _ kind: LinkEvent.Kind) -> LinkEvent {
        LinkEvent(
            worker: worker, process: peers[worker]?.process, isLocal: peers[worker]?.isLocal ?? false,
            key: peers[worker]?.key?.text, kind: kind)
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
        ConnectionGuard.timePassed()
        return peers.timePassed(patience, now: now).map { event(of: $0, .forgotten) }
    }

    // MARK: - Queries

    /// Whether no worker is left that could be told anything.
    var isEmpty: Bool { peers.isEmpty }

    /// Whether a foreign worker may still be there: it works, or had asked to join not long before `end`.
    func hasForeign(at end: Duration) -> Bool { peers.hasForeign(within: patience, of: end) }
}
