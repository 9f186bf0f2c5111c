import Wire

/// Why a worker's HELLO is not taken.
enum JoinObstacle: Equatable {
    /// The id belongs to another key, or to a process that the coordinator has spawned.
    case otherKey
    /// The connection speaks for another worker.
    case otherWorker
    case tooManyOfKey
    case tooMany
    /// New ones come too often with this key.
    case tooOften

    /// What the worker is told.
    var refusal: Refusal {
        switch self {
        case .otherKey: Refusal(reason: "its id belongs to another key", mend: "start the worker again")
        case .otherWorker: Refusal(reason: "its connection speaks for another worker", mend: "start the worker again")
        case .tooManyOfKey:
            Refusal(
                reason: "\(PeerDirectory.limitOfKey) workers with its key have joined, which is the most",
                mend: "coord keys new NAME   on the coordinator's host makes another")
        case .tooMany:
            Refusal(
                reason: "\(PeerDirectory.limit) workers have joined, which is the most", mend: "start fewer workers")
        case .tooOften:
            Refusal(
                reason:
                    "\(PeerDirectory.arrivalLimit) new workers have come with its key within \(PeerDirectory.arrivalInterval)",
                mend: "find out why its workers start so often, and start them later")
        }
    }
}
