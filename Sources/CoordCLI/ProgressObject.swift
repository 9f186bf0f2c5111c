import Report
import Sharding

struct ProgressObject: Encodable {
    var messageType = "progress"
    var run: Int64
    var job: String
    var rowsDone: Int64
    var rowsEstimated: Int64
    var rowsPerSecond: Double
    var etaSeconds: Nullable<Int64>
    var elapsedSeconds: Double
    var shards: ShardCountsObject
    var workers: [WorkerObject]
    /// How many workers write at the same time.
    var inFlight: Nullable<InFlightObject>
    /// All conditions in one line; null when none holds.
    var note: Nullable<String>
    var conditions: [[String: JSONValue]]
    /// How many more hold than are listed.
    var conditionsLeftOut: Int

    init(_ report: RunReport) {
        run = report.run.rawValue
        job = report.job
        rowsDone = report.rowsDone
        rowsEstimated = report.rowsEstimated
        rowsPerSecond = rounded(report.rowsPerSecond)
        etaSeconds = Nullable(report.timeLeft?.components.seconds)
        elapsedSeconds = rounded(report.elapsed / .seconds(1))
        shards = ShardCountsObject(report.shards)
        workers = report.workers.map { WorkerObject($0) }
        inFlight = Nullable(report.inFlight.map { InFlightObject($0) })
        let texts = ConditionText.all(of: report)
        note = Nullable(texts.isEmpty ? nil : texts.joined(separator: "; "))
        conditions = report.conditions.map { ConditionMembers.of($0) }
        conditionsLeftOut = report.conditionsLeftOut
    }
}
