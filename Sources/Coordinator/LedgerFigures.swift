import Sharding

/// The figures that a coordinator writes together with a task.
struct LedgerFigures: Equatable, Sendable {
    var rowsPerSecond = 0.0
    var workers: [WorkerRecord] = []
    /// The OID of the table whose storage is measured; nil for none.
    var measuredTable: UInt32?
}
