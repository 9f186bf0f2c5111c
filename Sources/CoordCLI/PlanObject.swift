import Coordinator
import Job
import Sharding

struct PlanObject: Encodable {
    struct Range: Encodable {
        var after: Nullable<KeyObject>
        var through: Nullable<KeyObject>
        var rowsEstimated: Int64
    }

    var job: String
    var table: String
    var key: String
    var rows: Int64
    var rowsEstimated: Int64
    var ranges: [Range]
    var order: OrderObject
    var warnings: [String]

    init(_ job: Job, _ preview: RunOpening.Preview) {
        self.job = job.name
        table = preview.table
        key = preview.key
        rows = preview.rows
        rowsEstimated = preview.rowsEstimated
        order = OrderObject(preview.order)
        warnings = preview.warnings
        ranges = preview.plan.parts.map { part in
            Range(
                after: Nullable(part.range.after.map(KeyObject.init)),
                through: Nullable(part.range.through.map(KeyObject.init)),
                rowsEstimated: part.rowsEstimated)
        }
    }
}
