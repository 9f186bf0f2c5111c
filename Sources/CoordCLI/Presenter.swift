import Host
import Report
import Sharding
import Synchronization

/// Shows a run as it goes: bars on a terminal, a line every few seconds elsewhere, or JSON lines.
final class Presenter: Sendable {
    enum Style: Sendable { case bars, lines, json }

    private struct State {
        var shownAt: Duration?
        var last: RunReport?
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

    func show(_ event: RunEvent) {
        if case .progressed(let report) = event { return progressed(report) }
        let told = EventText.of(event)
        message(told.type, told.text, told.members)
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
    func end(_ final: RunReport? = nil) {
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

    private func progressed(_ report: RunReport) {
        state.withLock { state in
            switch style {
            case .bars:
                state.last = report
                Terminal.error.postPicture { Self.picture(report) }
            case .lines:
                // The first line comes when there is something to say.
                if state.shownAt == nil, report.elapsed < .seconds(1) { return }
                guard isDue(&state, every: Self.lineInterval) else { return }
                Terminal.error.postProgress(ReportView.line(report) + "\n")
            case .json:
                guard !state.isSummarized, isDue(&state, every: Self.jsonInterval) else { return }
                Terminal.output.postProgress(JSONOutput.line(ProgressObject(report)))
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
    private static func picture(_ report: RunReport) -> [String] {
        let size = Terminal.size()
        return ReportView.bars(
            report, width: size.width, height: max(1, size.height - 1), color: Terminal.color)
    }
}
