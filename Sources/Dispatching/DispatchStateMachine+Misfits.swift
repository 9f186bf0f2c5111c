import OrderedCollections
import Sharding

// Workers that are not fit for the job. When nobody else is left, the run stops with the reason.
extension DispatchStateMachine {
    /// Whether workers are there, and all of them get no more leases.
    var hasOnlyMisfits: Bool { !workers.isEmpty && workers.values.allSatisfy(\.isSetAside) }

    /// Whether the fit workers have been gone for too long.
    mutating func isWaitingInVain(now: Duration) -> Bool {
        guard phase == .dispatching, hasOnlyMisfits else {
            misfitSince = nil
            return false
        }
        let since = misfitSince ?? now
        misfitSince = since
        return now - since >= configuration.misfitGrace
    }

    mutating func stopForMisfits(now: Duration) -> [DispatchAction] {
        stopRequested(reason: "no worker can do this job: \(misfit ?? "no reason was given")", now: now)
    }
}
