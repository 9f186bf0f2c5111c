import Testing

@testable import Coordinator

/// When a coordinator starts, tries again and ends the workers of another host.
@Suite struct HostStateMachineTests {
    private var machine = HostStateMachine()

    @Test mutating func hostIsStartedAtOnceAndSaysWhenItsWorkersAreThere() {
        #expect(machine.timePassed(now: .zero) == [.start])
        #expect(machine.timePassed(now: .seconds(5)) == [])
        #expect(machine.ready(workers: 8, now: .seconds(6)) == [.announceStarted(workers: 8)])
        #expect(machine.timePassed(now: .seconds(600)) == [])
        #expect(machine.trouble == nil)
    }

    @Test mutating func hostThatCannotBeReachedIsTriedAgainAfterPausesThatGrowToALimit() {
        var now = Duration.zero
        var pauses: [Int64] = []
        for _ in 0..<9 {
            #expect(machine.timePassed(now: now) == [.start])
            _ = machine.ended(reason: "refused", now: now)
            guard let retryAt = machine.trouble?.retryAt else { break }
            pauses.append((retryAt - now).components.seconds)
            #expect(machine.timePassed(now: retryAt - .milliseconds(1)) == [])
            now = retryAt
        }
        #expect(pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60])
    }

    @Test mutating func reasonIsToldOnceAndAgainWhenItIsAnother() {
        _ = machine.timePassed(now: .zero)
        let first = machine.ended(reason: "refused", now: .zero)
        #expect(first == [.announceLost(reason: "refused", retryIn: .seconds(1))])
        _ = machine.timePassed(now: .seconds(1))
        #expect(machine.ended(reason: "refused", now: .seconds(1)) == [])
        _ = machine.timePassed(now: .seconds(3))
        let other = machine.ended(reason: "no route", now: .seconds(3))
        #expect(other == [.announceLost(reason: "no route", retryIn: .seconds(4))])
    }

    @Test mutating func workersThatWereThereForLongStartThePausesAnew() {
        for _ in 0..<5 {
            _ = machine.timePassed(now: .seconds(100))
            _ = machine.ended(reason: "refused", now: .zero)
        }
        _ = machine.timePassed(now: .seconds(200))
        _ = machine.ready(workers: 1, now: .seconds(200))
        _ = machine.ended(reason: "broken", now: .seconds(201))
        #expect(machine.trouble?.retryAt == .seconds(201 + 32))
        _ = machine.timePassed(now: .seconds(300))
        _ = machine.ready(workers: 1, now: .seconds(300))
        #expect(machine.trouble == nil)
        let steady = Duration.seconds(300) + HostStateMachine.steadyAfter
        _ = machine.ended(reason: "broken", now: steady)
        #expect(machine.trouble?.retryAt == steady + HostStateMachine.pauses.first)
    }

    @Test mutating func hostThatSaysNothingIsGivenUpAndTriedAgain() {
        _ = machine.timePassed(now: .zero)
        #expect(machine.timePassed(now: HostStateMachine.startLimit) == [])
        let late = HostStateMachine.startLimit + .milliseconds(1)
        #expect(machine.timePassed(now: late) == [.kill])
        #expect(machine.timePassed(now: late + .seconds(9)) == [])
        // How ssh ended is not why.
        let told = machine.ended(reason: "killed by signal 9", now: late)
        #expect(told == [.announceLost(reason: "its workers were not started within 30 s", retryIn: .seconds(1))])
    }

    @Test mutating func endOfTheRunDismissesTheWorkersAndStartsNothingMore() {
        _ = machine.timePassed(now: .zero)
        _ = machine.ready(workers: 1, now: .seconds(1))
        #expect(machine.leaveRequested() == [.dismiss])
        #expect(machine.leaveRequested() == [])
        #expect(!machine.isOver)
        #expect(machine.ended(reason: "its workers have left", now: .seconds(2)) == [])
        #expect(machine.isOver)
        #expect(machine.timePassed(now: .seconds(900)) == [])
    }

    @Test mutating func endOfTheRunIsNotWaitedForByAHostThatIsAway() {
        _ = machine.timePassed(now: .zero)
        _ = machine.ended(reason: "refused", now: .zero)
        #expect(machine.leaveRequested() == [])
        #expect(machine.isOver && machine.trouble == nil)
        #expect(machine.timePassed(now: .seconds(900)) == [])
    }

    @Test mutating func endOfTheRunEndsAlsoAHostThatIsJustStarting() {
        _ = machine.timePassed(now: .zero)
        #expect(machine.leaveRequested() == [.dismiss])
        // Its workers were under way already.
        #expect(machine.ready(workers: 1, now: .seconds(1)) == [])
        #expect(machine.ended(reason: "", now: .seconds(1)) == [])
        #expect(machine.isOver)
    }
}
