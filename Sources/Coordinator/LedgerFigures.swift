import Sharding

/// What a coordinator writes beside what it is asked for.
struct LedgerFigures: Equatable, Sendable {
    var rowsPerSecond = 0.0
    var workers: [WorkerRecord] = []
}
