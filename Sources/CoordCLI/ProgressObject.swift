import Progress
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
    var note: Nullable<String>
    var notes: [String]

    init(_ snapshot: ProgressSnapshot) {
        run = snapshot.run.rawValue
        job = snapshot.job
        rowsDone = snapshot.rowsDone
        rowsEstimated = snapshot.rowsEstimated
        rowsPerSecond = rounded(snapshot.rowsPerSecond)
        etaSeconds = Nullable(snapshot.eta?.components.seconds)
        elapsedSeconds = rounded(snapshot.elapsed / .seconds(1))
        shards = ShardCountsObject(snapshot)
        workers = snapshot.workers.map { WorkerObject($0) }
        note = Nullable(snapshot.note)
        notes = snapshot.notes
    }
}
