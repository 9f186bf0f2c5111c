import Ledger
import Sharding

extension WorkerID {
    package static let first = WorkerID("00000000-0000-4000-8000-000000000001")
    package static let second = WorkerID("00000000-0000-4000-8000-000000000002")
    package static let coordinator = WorkerID("00000000-0000-4000-8000-00000000000c")
    package static let rival = WorkerID("00000000-0000-4000-8000-00000000000d")
}

extension RunDefinition {
    package static func sample(_ name: String = "job") -> RunDefinition {
        RunDefinition(
            name: name, text: "table: items\nset: { price: 1 }\n", directory: "/jobs", fingerprint: "f1",
            table: "public.items")
    }
}

extension ShardPlan {
    /// A plan with ranges between the boundaries, which tile the key space. Each range is estimated at 10 rows.
    package static func cut(at boundaries: [String]) -> ShardPlan {
        let ends = boundaries.map { Key($0) as Key? }
        let parts = zip([nil] + ends, ends + [nil]).map { after, through in
            Part(range: KeyRange(after: after, through: through), rowsEstimated: 10)
        }
        return ShardPlan(parts: parts)
    }
}
