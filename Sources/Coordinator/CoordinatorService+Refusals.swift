import Host
import Logging
import ZeroMQ

// Strangers' connections, which must not take the descriptors that the coordinator and its own workers need.
extension CoordinatorService {
    /// Seconds' worth of refusals that are said at once.
    private static let refusalInterval = Duration.seconds(10)

    func guardConnections() {
        ConnectionGuard.limit(
            connectionsBelow: CoordinatorLimits.bound(workers: local?.wanted ?? 0),
            except: folder.map(PrivateEndpoint.inside))
    }

    /// Says once in a while that connections were refused.
    func reportRefusals() {
        guard configuration.listen != nil,
            now >= refusalsReportedAt + Self.refusalInterval || refusalsReportedAt == .zero
        else { return }
        let refused = ConnectionGuard.takeRefused()
        guard refused > 0 else { return }
        refusalsReportedAt = now
        log.error(
            "\(refused) connections were refused: too many files are open. Local workers go on; ulimit -n raises the limit"
        )
    }
}
