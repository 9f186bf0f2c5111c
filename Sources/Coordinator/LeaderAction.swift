import Ledger
import LedgerQueueing
import Logging
import Report
import Sharding
import Wire

/// What the shell must do for a run's leader, in order.
enum LeaderAction: Equatable {
    /// Send the worker a message. Where it does not arrive, a later one says the same.
    case send(CoordinatorMessage, to: WorkerID)
    /// Have all workers leave, also those that have not joined yet.
    case dismissAll
    /// The worker is taken for dead: forget it; a process of this one is killed, and replaced later.
    case dismiss(WorkerID)
    /// Do the task in the ledger, then say `answered` or `failed`.
    case ask(LedgerTask)
    /// Ask the ledger what has become of the run, then say `standingRead` or `failed`.
    case inquire
    /// Let the time pass, then say `pauseEnded`.
    case pause(Duration)
    /// End the session of the shard's last worker. It need not work.
    case endHolder(ShardID)
    /// Write the workers' last figures, then say `figuresWritten`, also where they cannot be written.
    case writeFigures([WorkerRecord])
    case announce(RunEvent)
    case log(Logger.Level, String)
    /// The term is over: end. Nothing follows.
    case end(RunLeader.End)
}
