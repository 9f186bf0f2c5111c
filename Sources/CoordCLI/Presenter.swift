import Coordinator
import Host
import Progress
import Sharding
import Synchronization

/// Shows a run as it goes: bars on a terminal, a line every few seconds elsewhere, or JSON lines.
final class Presenter: Sendable {
    enum Style: Sendable { case bars, lines, json }

    private struct State {
        var shownAt: Duration?
        var last: ProgressSnapshot?
        var isSummarized = false
    }

    static let lineInterval = Duration.seconds(5)
    static let jsonInterval = Duration.seconds(1)

    private let style: Style
    private let state = Mutex(State())

    /// From here on, no reader of the streams holds up who shows something.
    init(json: Bool) {
        Terminal.detach()
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
                "attempt_ended", "\(effect): \(reason.indented)",
                ["shard": .number(Int64(shard.rawValue)), "error": .string(reason), "failed": .boolean(failed)])
        case .workerUnfit(let worker, let reason):
            message(
                "worker_unfit", "\(worker) cannot do this job, its shard goes to another: \(reason.indented)",
                ["worker": .string(worker), "error": .string(reason)])
        case .batchesShrunk(let rows):
            message(
                "batches_shrunk",
                "batches took too long: they have at most \(ProgressFormat.grouped(Int64(rows))) rows now",
                ["rows": .number(Int64(rows))])
        case .workerGone(let reason): message("worker_gone", reason.indented, ["reason": .string(reason)])
        case .ledgerLost(let reason):
            message(
                "database_away", "the database is away, trying again: \(reason.indented)",
                ["error": .string(reason)])
        }
    }

    /// A line for people on standard error, or an object for programs on standard output.
    func message(_ type: String, _ text: String, _ members: [String: JSONValue] = [:]) {
        state.withLock { state in
            guard style == .json else { return Terminal.complain(text) }
            guard !state.isSummarized else { return }
            JSONOutput.print(members.merging(["message_type": .string(type)]) { $1 })
        }
    }

    /// Leaves the last picture standing, and sees that it stands before anything else is written.
    func end(_ final: ProgressSnapshot? = nil) {
        guard style == .bars else { return }
        if let last = final ?? state.withLock({ $0.last }) {
            Terminal.error.leavePicture { Self.picture(last) }
        }
        Terminal.error.settle(patience: Terminal.messagePatience)
    }

    /// Prints the object that is the last, whatever happens meanwhile on other threads.
    func summarize(_ summary: Summary) {
        guard style == .json else { return }
        state.withLock { state in
            guard !state.isSummarized else { return }
            state.isSummarized = true
            Terminal.output.postLast(JSONOutput.line(summary))
        }
    }

    private func progressed(_ snapshot: ProgressSnapshot) {
        state.withLock { state in
            switch style {
            case .bars:
                state.last = snapshot
                Terminal.error.postPicture { Self.picture(snapshot) }
            case .lines:
                // The first line comes when there is something to say.
                if state.shownAt == nil, snapshot.elapsed < .seconds(1) { return }
                guard isDue(&state, every: Self.lineInterval) else { return }
                Terminal.error.postProgress(ProgressView.line(snapshot) + "\n")
            case .json:
                guard !state.isSummarized, isDue(&state, every: Self.jsonInterval) else { return }
                Terminal.output.postProgress(JSONOutput.line(ProgressObject(snapshot)))
            }
        }
    }

    private func isDue(_ state: inout State, every interval: Duration) -> Bool {
        let now = MonotonicTime.now()
        if let at = state.shownAt, now - at < interval { return false }
        state.shownAt = now
        return true
    }

    /// Below the picture stands the cursor, in a line of its own.
    private static func picture(_ snapshot: ProgressSnapshot) -> [String] {
        let size = Terminal.size()
        return ProgressView.bars(
            snapshot, width: size.width, height: max(1, size.height - 1), color: Terminal.color)
    }
}
