@testable import SimulatedLedger

/// A process that may freeze, so that its events wait, and may be killed, so that its events are lost.
class SimulatedProcess {
    unowned let simulation: Simulation
    let name: String
    private(set) var isAlive = true
    private(set) var isFrozen = false
    private var waiting: [() -> Void] = []
    /// The process's session with the database.
    private(set) var session: SimulatedSession

    init(_ simulation: Simulation, name: String) {
        self.simulation = simulation
        self.name = name
        session = simulation.openSession()
    }

    /// Handles an event now, or when the process thaws.
    func deliver(_ event: @escaping () -> Void) {
        guard isAlive else { return }
        if isFrozen { waiting.append(event) } else { event() }
    }

    func freeze(for duration: Duration) {
        guard isAlive, !isFrozen else { return }
        isFrozen = true
        simulation.audit.note("\(name) freezes for \(duration)")
        simulation.after(duration) { self.thaw() }
    }

    func thaw() {
        guard isAlive, isFrozen else { return }
        isFrozen = false
        simulation.audit.note("\(name) thaws")
        let events = waiting
        waiting = []
        for event in events { deliver(event) }
    }

    func kill() {
        guard isAlive else { return }
        isAlive = false
        waiting = []
        simulation.audit.note("\(name) is gone")
    }

    /// Calls `tick` repeatedly while the process lives.
    func tick(every interval: Duration, _ tick: @escaping () -> Void) {
        simulation.after(interval) {
            self.deliver {
                tick()
                self.tick(every: interval, tick)
            }
        }
    }

    /// Opens another session. The old session ends, unless the server does not know yet that its client is gone.
    func reconnect(closing: Bool = true) {
        if closing { simulation.close(session) }
        session = simulation.openSession()
    }
}

/// A session of the database server.
final class SimulatedSession {
    let id: Int
    /// The server's era in which the session was opened. An outage ends all sessions of an era.
    let era: Int
    var isBroken = false
    /// The keys that the open transaction has locked.
    var locked: [Int] = []
    /// The number of transactions, so that a timer knows whether its own transaction is still open.
    var transactions = 0

    init(id: Int, era: Int) {
        self.id = id
        self.era = era
    }
}
