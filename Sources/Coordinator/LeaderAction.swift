import Ledger
import LedgerQueueing
import Logging
import Report
import Sharding
import Wire

/// An action that the shell must carry out for a run's leader, in the order in which the leader returns it.
enum LeaderAction: Equatable {
    /// Send the worker a message. If it does not arrive, a later message says the same.
    case send(CoordinatorMessage, to: WorkerID)
    /// Tell all workers, and those that come, whether they write in turns.
    case changeTurns(TurnTaking)
    /// Tell all workers to leave, including those that have not joined yet.
    case dismissAll
    /// Forget the worker, which is taken for dead. If it is a local process, kill it; it is replaced later.
    case dismiss(WorkerID)
    /// Do the task in the ledger, then report `answered` or `failed`.
    case ask(LedgerTask)
    /// Ask the ledger what has become of the run, then report `standingRead` or `failed`.
    case inquire
    /// Wait for this time, then report `pauseEnded`.
    case pause(Duration)
    /// End the session of the shard's last worker. The attempt may fail.
    case endHolder(ShardID)
    /// Write the workers' last figures, then report `figuresWritten`, even if they cannot be written.
    case writeFigures([WorkerRecord])
    case announce(RunEvent)
    case log(Logger.Level, String)
    /// End: the term is over. No action follows.
    case end(RunLeader.End)
}
