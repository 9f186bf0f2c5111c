import Batches
import CoordKit
import Sharding

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

    package var name: String { "transform \(transform.name)" }

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
        let key = key.key(of: index, in: batch)
        let reason = "\(name) \(reason)"
        return ComputeError(description: "\(reason) (key \(key))", reason: reason, key: key)
    }
}
