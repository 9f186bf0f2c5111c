import Dispatching
import Sharding
import WorkerLoop

/// What a worker tells its coordinator, as in `coord.proto`.
enum FromWorkerMessage {
    case hello
    case heartbeat(HeldLease?)
    case shardDone(Lease)
    case shardFailed(Lease, StepError)
    case leaseReleased(Lease)
    case leaseLost(Lease)
    case goodbye
}

/// What a coordinator tells a worker.
enum FromCoordinatorMessage {
    case welcome
    case alive
    case assign(Lease)
    case revoke(Lease)
    case drain
    case rejoin
}
