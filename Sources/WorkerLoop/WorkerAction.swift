/// An order to the shell, which carries out orders in sequence.
public enum WorkerAction: Equatable, Sendable {
    /// Work on the batch in hand, on the thread that has the connection.
    case step(WorkerStep)
    /// Send the report to the coordinator.
    case tell(WorkerReport)
    /// Close the socket and open another: the old connection may be half dead.
    case reconnect
    /// The machine's work is over.
    case stop(WorkerStop)
}
