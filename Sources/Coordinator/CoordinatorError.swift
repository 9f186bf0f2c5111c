/// The reason why a coordinator stopped before its run was over. The run can be resumed.
public enum CoordinatorError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A folder for the endpoint could not be made.
    case folder(String)
    /// The program of the local workers cannot be run.
    case program(String, reason: String)
    /// Local workers end before they join, or cannot be started.
    case workersCannotStart(reason: String)
    /// Another coordinator has taken the run over.
    case ousted
    /// The ledger cannot be reached.
    case ledgerAway(reason: String)
    /// The ledger is there, and cannot be written.
    case ledgerReadOnly(reason: String)
    /// No shard of the run can go on, for example because the table was replaced.
    case cannotGoOn(String)
    /// The endpoint would be open to other hosts without authentication.
    case openEndpoint(String)
    /// Keys are asked for at an endpoint that is a file.
    case keyedFile(String)
    /// It is not proven that a stranger is refused at the endpoint.
    case strangersNotRefused(String, reason: String)
    /// Another process uses the endpoint, or nobody can listen on it.
    case endpointTaken(String, reason: String)
    /// The system gives this process less than it needs.
    case limit(String, mend: String)

    public var description: String {
        switch self {
        case .folder(let reason):
            "no folder for the endpoint could be made (\(reason)): nothing was started\n"
                + "  TMPDIR=PATH   names a folder with a short name that can be written"
        case .endpointTaken(let endpoint, let reason):
            "cannot listen on \(endpoint): \(reason). Nothing was started\n  --listen takes another path or port"
        case .limit(let fault, let mend): "\(fault): nothing was started\n  \(mend)"
        case .program(let path, let reason): "the program \(path) of the workers cannot be run: \(reason)"
        case .workersCannotStart(let reason): "workers cannot start: \(reason)"
        case .ousted: "another coordinator has taken the run over"
        case .ledgerAway(let reason): "the ledger cannot be reached: \(reason)"
        case .ledgerReadOnly(let reason): "the ledger cannot be written: \(reason)"
        case .cannotGoOn(let reason): reason
        case .openEndpoint(let endpoint):
            "cannot listen on \(endpoint) without keys, since any host could join. Nothing was started\n"
                + "  coord keys new NAME   makes a key for a worker's host, and the coordinator's own"
        case .keyedFile(let endpoint):
            "keys are for tcp endpoints: at \(endpoint) the rights of the file say who may join. Nothing was started\n"
                + "  --listen tcp://HOST:PORT"
        case .strangersNotRefused(let endpoint, let reason):
            "cannot prove that strangers are refused at \(endpoint): \(reason). No worker was let in"
        }
    }
}
