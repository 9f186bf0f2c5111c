import Coordinator
import Glibc
import Host
import Progress
import Sharding
import Synchronization

/// Shows a run as it goes: bars on a terminal, a line every few seconds elsewhere, or JSON lines.
final class Presenter: Sendable {
    enum Style: Sendable { case bars, lines, json }

    private struct State {
        var barLines = 0
        var linedAt: Duration?
        var last: ProgressSnapshot?
        var isSummarized = false
    }

    static let lineInterval = Duration.seconds(5)
    static let jsonInterval = Duration.seconds(1)

    private let style: Style
    private let state = Mutex(State())

    init(json: Bool) {
        style = json ? .json : Terminal.errorIsTerminal ? .bars : .lines
    }

    func show(_ event: CoordinatorService.Event) {
        switch event {
        case .progressed(let snapshot): progressed(snapshot)
        case .listening(let endpoint):
            message(
                "listening", "workers may join: coord worker --connect \(endpoint)", ["endpoint": .string(endpoint)])
        case .attemptEnded(let shard, let reason, let failed):
            let effect = failed ? "shard \(shard) has failed" : "shard \(shard) will be tried again"
            message(
                "attempt_ended", "\(effect): \(reason)",
                ["shard": .number(Int64(shard.rawValue)), "error": .string(reason), "failed": .boolean(failed)])
        case .workerUnfit(let worker, let reason):
            message(
                "worker_unfit", "\(worker) cannot do this job, its shard goes to another: \(reason)",
                ["worker": .string(worker), "error": .string(reason)])
        case .batchesShrunk(let rows):
            message(
                "batches_shrunk",
                "batches took too long: they have at most \(ProgressFormat.grouped(Int64(rows))) rows now",
                ["rows": .number(Int64(rows))])
        case .workerGone(let reason): message("worker_gone", reason, ["reason": .string(reason)])
        case .ledgerLost(let reason):
            message("database_away", "the database is away, trying again: \(reason)", ["error": .string(reason)])
        }
    }

    /// A line for people on standard error, or an object for programs on standard output.
    func message(_ type: String, _ text: String, _ members: [String: JSONValue] = [:]) {
        state.withLock { state in
            if style == .json {
                guard !state.isSummarized else { return }
                return JSONOutput.print(members.merging(["message_type": .string(type)]) { $1 })
            }
            erase(&state)
            Terminal.complain(text)
            if let last = state.last { draw(last, &state) }
        }
    }

    /// Leaves the last picture standing.
    func end(_ final: ProgressSnapshot? = nil) {
        state.withLock { state in
            guard style == .bars, let last = final ?? state.last else { return }
            erase(&state)
            draw(last, &state)
            state.barLines = 0
            state.last = nil
        }
    }

    /// Prints the object that is the last, whatever happens meanwhile on other threads.
    func summarize(_ summary: Summary) {
        guard style == .json else { return }
        state.withLock { state in
            guard !state.isSummarized else { return }
            state.isSummarized = true
            JSONOutput.print(summary)
        }
    }

    private func progressed(_ snapshot: ProgressSnapshot) {
        state.withLock { state in
            let now = MonotonicTime.now()
            switch style {
            case .bars:
                state.last = snapshot
                erase(&state)
                draw(snapshot, &state)
            case .lines:
                if let at = state.linedAt, now - at < Self.lineInterval { return }
                // The first line comes when there is something to say.
                if state.linedAt == nil, snapshot.elapsed < .seconds(1) { return }
                state.linedAt = now
                Terminal.complain(ProgressView.line(snapshot))
            case .json:
                guard !state.isSummarized else { return }
                if let at = state.linedAt, now - at < Self.jsonInterval { return }
                state.linedAt = now
                JSONOutput.print(ProgressObject(snapshot))
            }
        }
    }

    private func erase(_ state: inout State) {
        guard state.barLines > 0 else { return }
        Terminal.write("\u{1B}[\(state.barLines)A\r\u{1B}[J", to: STDERR_FILENO)
        state.barLines = 0
    }

    private func draw(_ snapshot: ProgressSnapshot, _ state: inout State) {
        guard style == .bars else { return }
        let size = Terminal.size
        let lines = ProgressView.bars(snapshot, width: size.width, height: size.height, color: Terminal.color)
        Terminal.write(lines.joined(separator: "\n") + "\n", to: STDERR_FILENO)
        state.barLines = lines.count
    }
}

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
