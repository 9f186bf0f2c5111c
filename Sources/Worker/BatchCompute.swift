import CoordKit

/// What computes a batch's values.
protocol BatchCompute: AnyObject {
    /// - Parameter batch: key, xmin, ctid, then the columns that the job reads.
    /// - Returns: the columns that the job writes, row for row in the same order.
    /// - Throws: `ComputeError`.
    func compute(_ batch: RowBatch) throws -> RowBatch

    /// How the program is and what it said last, for an error about its answers; nil where no program is.
    var epitaph: String? { get }
}

extension BatchCompute {
    var epitaph: String? { nil }
}

/// A program or transform that did not do its part. Its text may quote the program's own output, never a row.
struct ComputeError: Error, Equatable, CustomStringConvertible {
    var description: String
}

/// Columns of a batch before the ones that the job reads: key, xmin and ctid.
let systemColumns = 3

/// A transform compiled into this worker.
final class TransformCompute: BatchCompute {
    private let transform: RowTransform
    private let names: [String]
    private let writes: Int

    init(transform: RowTransform, read: [String], writes: Int) {
        self.transform = transform
        names = read
        self.writes = writes
    }

    func compute(_ batch: RowBatch) throws -> RowBatch {
        var writer = RowWriter(batch: RowBatch(columns: writes))
        for index in 0..<batch.rows {
            do {
                try transform(Row(batch: batch, index: index, names: names, skipped: systemColumns), &writer)
            } catch {
                throw ComputeError(description: "transform \(transform.name) failed: \(error)")
            }
            guard writer.batch.values == (index + 1) * writes else {
                throw ComputeError(
                    description: "transform \(transform.name) wrote \(writer.batch.values - index * writes) values "
                        + "for a row, the job has \(writes) columns to write")
            }
        }
        return writer.finish()
    }
}
