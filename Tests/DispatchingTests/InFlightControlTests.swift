import Testing

@testable import Dispatching

@Suite struct InFlightControlTests {
    /// A server's rows a second by the number of workers that write at the same time.
    typealias Server = @Sendable (Int) -> Double

    /// Runs the control against a server.
    /// - Returns: the limits that it has tried, in their order.
    private func limits(
        _ setting: InFlightControl.Setting, workers: Int = 8, seconds: Int = 60, waiting: Bool = true, _ server: Server
    ) -> [Int] {
        var control = InFlightControl(setting)
        var (rows, limits) = (0.0, [control.limit])
        for tenth in 1...seconds * 10 {
            let inFlight = min(control.limit, workers)
            rows += server(inFlight) / 10
            control.measured(
                rows: Int64(rows), waiting: waiting ? workers - inFlight : 0, workers: workers,
                now: .milliseconds(100 * tenth))
            if control.limit != limits.last { limits.append(control.limit) }
        }
        return limits
    }

    @Test func serverThatDoesMoreWithMoreGetsThemAll() {
        #expect(limits(.automatic(from: 2), seconds: 20) { 1000 * Double($0) } == [2, 3, 4, 6, 8, 6, 8])
    }

    /// Two processors: one worker leaves one idle, and more than two do no more.
    @Test func serverWithTwoProcessorsGetsTwo() {
        let server: Server = { $0 == 1 ? 600 : $0 <= 3 ? 1000 : 900 }
        let limits = limits(.automatic(from: 2), seconds: 30, server)
        #expect(limits == [2, 3, 1, 2])
        // It begins with too many, and finds that out.
        #expect(self.limits(.automatic(from: 7), seconds: 40, server) == [7, 8, 6, 5, 4, 3, 2, 1, 2])
    }

    @Test func betterLimitIsLookedForAgainAfterAWhile() {
        let server: Server = { $0 == 1 ? 600 : 1000 }
        #expect(limits(.automatic(from: 2), seconds: 60, server) == [2, 3, 1, 2, 3, 1, 2])
    }

    @Test func limitThatBoundsNothingIsLeftAlone() {
        #expect(limits(.automatic(from: 8), waiting: false) { 1000 * Double($0) } == [8])
        #expect(limits(.fixed(3)) { 1000 * Double($0) } == [3])
    }

    @Test func thereIsAlwaysOne() {
        #expect(InFlightControl(.fixed(0)).limit == 1)
        #expect(limits(.automatic(from: 1), workers: 1, waiting: true) { _ in 0 } == [1])
    }
}
