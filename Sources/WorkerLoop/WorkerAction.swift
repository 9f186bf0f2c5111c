/// What the shell must do, in the order in which the machine asks for it.
public enum WorkerAction: Equatable, Sendable {
    /// Work on the batch in hand, on the thread that has the connection.
    case step(WorkerStep)
    /// Say it to the coordinator.
    case tell(WorkerReport)
    /// Close the socket and open a new one: the old connection may be half dead.
    case reconnect
    /// The machine's work is over.
    case stop(WorkerStop)
}
