import CoordKit

/// A program or transform that computes a batch's values.
package protocol BatchCompute: AnyObject {
    /// The name for people, without control characters.
    var name: String { get }

    /// - Parameter batch: key, xmin, ctid, then the columns that the job reads.
    /// - Returns: the columns that the job writes, row for row in the same order.
    /// - Throws: `ComputeError`.
    func compute(_ batch: RowBatch) throws -> RowBatch

    /// The program's end, if it has ended, and its last words, for an error about its answers; nil when there is
    /// nothing to tell.
    var epitaph: String? { get }

    /// The program's memory. Any thread may read it, also during a computation; nil without a program.
    var programMemory: ProgramMemory? { get }
}

extension BatchCompute {
    package var epitaph: String? { nil }
    package var programMemory: ProgramMemory? { nil }
    /// Resident bytes of the program and of its direct children; 0 when none runs.
    package var programRSSBytes: Int64 { programMemory?.residentBytes ?? 0 }
}
