import Batches
import Ledger
import Postgres
import Sharding
import WorkerLoop

extension StepError {
    /// The one place that says what may be done about an error of a step.
    init(_ error: any Error) {
        switch error {
        case let error as StepError: self = error
        case let error as PostgresError:
            let words = "\(error); batch rolled back, nothing written"
            let cause = Cause(error, effect: .rolledBack)
            switch error.recovery {
            case .retry: self.init(.retryable, words, cause: cause)
            case .reconnect: self.init(.connectionLost, error.description, cause: Cause(error, effect: .unknown))
            // Once more on a new connection, which prepares its statements anew and looks at the table first. What lies in the
            // statement or in rights then would meet every shard.
            case .authorize: self.init(.stopsRun, words, identity: "\(error)", cause: cause)
            case .permanent:
                let isStatement = ["42", "0A", "3F", "55"].contains { error.sqlState?.hasPrefix($0) == true }
                self.init(isStatement ? .stopsRun : .permanent, words, identity: "\(error)", cause: cause)
            }
        // It lies in the ledger, and would meet whoever takes the shard.
        case let error as LedgerError where error.code == .damaged: self.init(.stopsRun, "\(error)")
        case let error as LedgerError where error.code == .forbidden:
            // PostgreSQL's code for a missing right, also where the ledger itself has looked.
            let sqlState = error.cause?.sqlState ?? "42501"
            self.init(.stopsRun, "\(error)", cause: Cause(sqlState: sqlState, effect: .nothingWritten))
        case let error as BatchOutcome.DamagedAnswer: self.init(.stopsRun, "\(error)")
        default: self.init(.permanent, "\(error)")
        }
    }
}

extension StepError.Cause {
    /// What the server has refused, and of which row where that is known.
    init(_ error: PostgresError, key: Key? = nil, effect: StepError.Effect?) {
        self.init(sqlState: error.sqlState, key: key, effect: effect)
    }
}
