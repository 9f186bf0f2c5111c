import Testing

@testable import Host

@Suite struct PausingClockTests {
    @Test func timeGoesOnFromWhereTheClockWasMade() {
        var clock = PausingClock(at: .seconds(100))
        #expect(clock.read(at: .seconds(100)) == .zero)
        #expect(clock.read(at: .seconds(101)) == .seconds(1))
        #expect(clock.read(at: .seconds(103)) == .seconds(3))
    }

    /// A message that came during the pause or a tick may read the clock first. That reading must not include the
    /// pause: a later reading would be before it.
    @Test func pauseDoesNotCountForTheFirstReadingAfterIt() {
        var clock = PausingClock(at: .zero)
        _ = clock.read(at: .seconds(1))
        #expect(clock.read(at: .seconds(61)) == .seconds(1))
        #expect(clock.read(at: .milliseconds(61_500)) == .milliseconds(1_500))
        #expect(clock.read(at: .seconds(200)) == .milliseconds(1_500))
        #expect(clock.read(at: .seconds(201)) == .milliseconds(2_500))
    }

    @Test func busySecondIsNoPause() {
        var clock = PausingClock(at: .zero)
        #expect(clock.read(at: PausingClock.limit) == PausingClock.limit)
    }

    @Test func timeNeverGoesBack() {
        var clock = PausingClock(at: .zero)
        _ = clock.read(at: .seconds(1))
        #expect(clock.read(at: .milliseconds(500)) == .seconds(1))
    }
}
