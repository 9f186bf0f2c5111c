import ArgumentParser
import Coordinator
import Job
import Ledger
import Postgres
import Preflight
import Sharding
import Trust
import Worker

/// What the process ends with. Documented in docs/operating/start.md.
enum ExitStatus: Int32 {
    case complete = 0
    case error = 1
    case usage = 2
    case failedRows = 3
    case permission = 4
    case owned = 5
    case interrupted = 130

    static func of(_ error: any Error) -> ExitStatus {
        switch error {
        case is JobError, is ComputeFault, is UsageFault: .usage
        case let error as PreflightError: error.code == .permission ? .permission : .usage
        case let error as TrustError: [.exposed, .unreadable].contains(error.code) ? .permission : .usage
        case let error as LedgerError:
            switch error.code {
            case .forbidden: .permission
            case .owned: .owned
            case .unknownRun, .wrongState, .notInstalled, .foreign: .usage
            case .paused: .interrupted
            case .newer, .locked, .damaged: .error
            }
        case let error as PostgresError: error.recovery == .authorize ? .permission : .error
        case let error as WorkerError where error.kind == .unauthorized: .permission
        case let error as WorkerError: Recovery.of(sqlState: error.sqlState) == .authorize ? .permission : .error
        case let error as CoordinatorError:
            switch error {
            case .ousted: .owned
            case .openEndpoint, .endpointTaken, .keyedFile: .usage
            case .folder, .program, .strangersNotRefused, .workersCannotStart, .ledgerAway, .ledgerReadOnly,
                .cannotGoOn, .limit:
                .error
            }
        default: .error
        }
    }

    static func of(_ state: RunState) -> ExitStatus {
        switch state {
        case .complete: .complete
        case .partial, .failed: .failedRows
        case .paused: .interrupted
        case .planned, .running, .cancelled: .error
        }
    }

    func exit() throws -> Never { throw ExitCode(rawValue) }
}
