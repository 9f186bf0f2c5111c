import Sharding

/// What a coordinator writes beside what it is asked for.
struct LedgerFigures: Equatable, Sendable {
    var rowsPerSecond = 0.0
    var workers: [WorkerRecord] = []
    /// OID of the table whose storage is measured; nil for none.
    var measuredTable: UInt32?
}
