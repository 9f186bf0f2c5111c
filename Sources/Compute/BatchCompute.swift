import CoordKit

/// What computes a batch's values.
package protocol BatchCompute: AnyObject {
    /// What a person calls it, without control characters.
    var name: String { get }

    /// - Parameter batch: key, xmin, ctid, then the columns that the job reads.
    /// - Returns: the columns that the job writes, row for row in the same order.
    /// - Throws: `ComputeError`.
    func compute(_ batch: RowBatch) throws -> RowBatch

    /// How the program ended, when it has, and what it said last, for an error about its answers; nil where there is
    /// nothing to tell.
    var epitaph: String? { get }

    /// Whose memory a heartbeat may ask for, from any thread and also while a batch is computed; nil without a program.
    var programMemory: ProgramMemory? { get }
}

extension BatchCompute {
    package var epitaph: String? { nil }
    package var programMemory: ProgramMemory? { nil }
    /// Resident bytes of the program and of the processes that it has started itself; 0 when none runs.
    package var programRSSBytes: Int64 { programMemory?.residentBytes ?? 0 }
}
