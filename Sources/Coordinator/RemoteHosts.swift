import Host
import Job
import Trust
import ZeroMQ

/// The workers that a coordinator starts on other hosts, each host's by one process of ssh, and the keeper at its other end.
///
/// ssh's standard input is a leash, as a local worker's is: first the handover goes through it, then a beat every few
/// seconds, so that the keeper learns of a coordinator's end also where a broken network hides it.
///
/// This class owns the processes of ssh, so exactly one instance exists, and its owner ends them. `HostStateMachine` says what
/// to do with each.
package final class RemoteHosts {
    /// What its owner must know.
    enum Event: Equatable {
        case started(host: String, workers: Int)
        case lost(host: String, reason: String, retryIn: Duration)
        /// A host has said this.
        case said(host: String, String)
    }

    private final class Member {
        let host: InventoryHost
        let handover: Handover
        var machine = HostStateMachine()
        var session: SSHSession?
        /// Lines that may still be handed on; a flood of them helps nobody.
        var budget = RemoteHosts.lineBudget

        init(host: InventoryHost, handover: Handover) {
            self.host = host
            self.handover = handover
        }
    }

    /// A host that is to have workers, and the pair by which these are known.
    package struct Plan: Sendable {
        package var host: InventoryHost
        /// Nil for one a processor of that host.
        package var workers: Int?
        package var own: CurveKeyPair
        package var environment: [String: String]

        package init(host: InventoryHost, workers: Int?, own: CurveKeyPair, environment: [String: String]) {
            self.host = host
            self.workers = workers
            self.own = own
            self.environment = environment
        }
    }

    /// Between two looks at the processes.
    static let lookInterval = Duration.milliseconds(200)
    /// How long their ends are waited for when the coordinator stops at once.
    static let farewell = Duration.seconds(2)
    /// Lines of a host that are handed on, a minute.
    static let lineBudget = 20
    static let budgetInterval = Duration.seconds(60)
    private let plans: [Plan]
    private let program: String
    private let isVerbose: Bool
    /// How the hosts reach this one; nil for the name or address where it listens.
    private let address: String?
    private var members: [Member] = []
    private var lookedAt = Duration.zero
    private var beatAt = Duration.zero
    private var filledAt = Duration.zero

    /// - Parameters:
    ///   - address: the name or address by which the hosts reach this one; nil where it is known from the endpoint.
    ///   - program: ssh.
    package init(_ plans: [Plan], address: String?, isVerbose: Bool, program: String = SSHCommand.program) {
        self.plans = plans
        self.address = address
        self.isVerbose = isVerbose
        self.program = program
    }

    /// Workers can join from now on.
    /// - Parameters:
    ///   - endpoints: where this coordinator listens.
    ///   - key: this coordinator's own.
    func begin(at endpoints: [String], key: CurvePublicKey) {
        var places: [String] = []
        for endpoint in endpoints {
            guard let place = TCPAddress(endpoint) else { continue }
            let known = address.map { place.renamed($0) } ?? place
            if !places.contains(known.endpoint) { places.append(known.endpoint) }
        }
        let connect = places.joined(separator: ",")
        members = plans.map { plan in
            Member(
                host: plan.host,
                handover: Handover(
                    connect: connect, workers: plan.workers, own: plan.own, coordinator: key,
                    environment: plan.environment, isVerbose: isVerbose))
        }
    }

    // MARK: - Events

    /// Starts, hears and collects processes.
    func timePassed(now: Duration) -> [Event] {
        guard now - lookedAt >= Self.lookInterval else { return [] }
        lookedAt = now
        let beats = now - beatAt >= KeeperLeash.beatInterval
        if beats { beatAt = now }
        let refills = now - filledAt >= Self.budgetInterval
        if refills { filledAt = now }
        var events: [Event] = []
        for member in members {
            if refills { member.budget = Self.lineBudget }
            if beats { member.session?.send(KeeperLeash.beat) }
            hear(member, now: now, &events)
            reap(member, now: now, &events)
            perform(member.machine.timePassed(now: now), member, now: now, &events)
        }
        return events
    }

    /// The run is about to end.
    func leave() {
        var events: [Event] = []
        for member in members { perform(member.machine.leaveRequested(), member, now: lookedAt, &events) }
    }

    /// Ends all at once: workers that still have a batch under way are killed. It waits for that, for a moment.
    func stop() {
        leave()
        for member in members {
            member.session?.send(KeeperLeash.stop)
            member.session?.letGo()
        }
        let deadline = MonotonicTime.now() + Self.farewell
        while MonotonicTime.now() < deadline, members.contains(where: { $0.session != nil }) {
            for member in members where member.session?.endStatus() != nil { member.session = nil }
            MonotonicTime.pause(for: .milliseconds(20))
        }
        // The keepers of those that are left see the end of their input.
        for member in members { member.session = nil }
    }

    // MARK: - Queries

    /// Whether no process is left, and none will be started.
    var areOver: Bool { members.allSatisfy(\.machine.isOver) }

    /// What keeps workers of hosts away.
    var troubles: [(host: String, trouble: HostStateMachine.Trouble)] {
        members.compactMap { member in member.machine.trouble.map { (member.host.name, $0) } }
    }

    // MARK: - One host

    private func perform(
        _ actions: [HostStateMachine.Action], _ member: Member, now: Duration, _ events: inout [Event]
    ) {
        for action in actions {
            switch action {
            case .start: start(member, now: now, &events)
            case .dismiss: member.session?.send(KeeperLeash.leave)
            case .kill: member.session?.kill()
            case .announceStarted(let workers): events.append(.started(host: member.host.name, workers: workers))
            case .announceLost(let reason, let pause):
                events.append(.lost(host: member.host.name, reason: reason, retryIn: pause))
            }
        }
    }

    private func start(_ member: Member, now: Duration, _ events: inout [Event]) {
        do {
            member.session = try SSHSession(
                program, SSHCommand(member.host).arguments, handover: member.handover.text)
        } catch {
            let reason = "\(program) cannot be started: \(error)"
            perform(member.machine.ended(reason: reason, now: now), member, now: now, &events)
        }
    }

    private func hear(_ member: Member, now: Duration, _ events: inout [Event]) {
        for line in member.session?.read() ?? [] { take(line, of: member, now: now, &events) }
    }

    private func take(_ line: String, of member: Member, now: Duration, _ events: inout [Event]) {
        if line.hasPrefix(Keeper.greeting), let workers = Int(line.dropFirst(Keeper.greeting.count)) {
            // What was said before explains nothing that comes later.
            member.session?.forgetLines()
            return perform(member.machine.ready(workers: workers, now: now), member, now: now, &events)
        }
        guard case .running = member.machine.state, member.budget > 0 else { return }
        member.budget -= 1
        events.append(.said(host: member.host.name, line))
    }

    private func reap(_ member: Member, now: Duration, _ events: inout [Event]) {
        guard let session = member.session, let status = session.endStatus() else { return }
        hear(member, now: now, &events)
        for line in session.finish() { take(line, of: member, now: now, &events) }
        let reason = SSHEnd.reason(status: status, lines: session.lastLines, path: member.host.path)
        member.session = nil
        perform(member.machine.ended(reason: reason, now: now), member, now: now, &events)
    }
}
