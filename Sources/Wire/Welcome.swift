package import Sharding

/// The answer to HELLO: the run with work, and the place of its ledger.
package struct Welcome: Equatable, Sendable {
    package var version: UInt32
    package var run: RunID
    /// The database cluster of the run: a worker that reaches another one stops before it writes.
    package var systemIdentifier: String
    package var database: String
    /// In whole milliseconds, at least one.
    package var heartbeatInterval: Duration
    /// The name of the ledger's schema: a worker that has another one configured stops before it reads a job there.
    package var ledgerSchema: String
    /// Whether batches are written in turns, which the coordinator grants.
    package var turnTaking: TurnTaking

    package init(
        version: UInt32 = protocolVersion, run: RunID, systemIdentifier: String, database: String,
        heartbeatInterval: Duration, ledgerSchema: String, turnTaking: TurnTaking = .none
    ) {
        self.turnTaking = turnTaking
        self.version = version
        self.run = run
        self.systemIdentifier = systemIdentifier
        self.database = database
        self.heartbeatInterval = heartbeatInterval
        self.ledgerSchema = ledgerSchema
    }
}
