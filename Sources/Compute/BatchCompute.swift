import Batches
import CoordKit
import Sharding

/// What computes a batch's values.
package protocol BatchCompute: AnyObject {
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

/// A transform compiled into this worker.
package final class TransformCompute: BatchCompute {
    private let transform: RowTransform
    private let key: KeySchema
    private let names: [String]
    private let writes: Int

    package init(transform: RowTransform, key: KeySchema, read: [String], writes: Int) {
        self.transform = transform
        self.key = key
        names = read
        self.writes = writes
    }

    package func compute(_ batch: RowBatch) throws -> RowBatch {
        var writer = RowWriter(batch: RowBatch(columns: writes))
        for index in 0..<batch.rows {
            do {
                try transform(Row(batch: batch, index: index, names: names, skipped: key.systemColumns), &writer)
            } catch {
                throw self.error("failed: \(error)", batch, index)
            }
            guard writer.batch.values == (index + 1) * writes else {
                let written = writer.batch.values - index * writes
                throw error(
                    "wrote \(written) values for a row, the job has \(writes) columns to write", batch, index)
            }
        }
        return writer.finish()
    }

    private func error(_ reason: String, _ batch: RowBatch, _ index: Int) -> ComputeError {
        let key = key.key(of: index, in: batch).description
        let reason = "transform \(transform.name) \(reason)"
        return ComputeError(description: "\(reason) (key \(key))", reason: reason, key: key)
    }
}
