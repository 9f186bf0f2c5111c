package import Sharding

/// The outcome of an attempt to measure the storage of a run's table.
package enum StorageReading: Sendable, Equatable {
    case measured(StorageMeasure)
    /// The table does not exist any more, or the run has another coordinator.
    case nothing
    /// Somebody holds a lock on the table, or the database refuses. The figures of before stay.
    case failed(String)

    package var measure: StorageMeasure? {
        guard case .measured(let measure) = self else { return nil }
        return measure
    }
}
