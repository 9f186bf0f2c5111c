import Glibc
import Host
import Testing

@testable import Coordinator

@Suite struct CoordinatorLimitsTests {
    @Test func workersThatNeedMoreFilesThanThereMayBeAreRefusedWithTheNumberThatFits() throws {
        try CoordinatorLimits.checkDescriptors(workers: 324, listens: false, limit: 1024)
        let error = #expect(throws: CoordinatorError.self) {
            try CoordinatorLimits.checkDescriptors(workers: 512, listens: false, limit: 1024)
        }
        #expect(error?.description.contains("512 workers need 1587 open files") == true)
        #expect(
            error?.description.contains("ulimit -n 1587") == true
                && error?.description.contains("--workers 324") == true)
        #expect(throws: CoordinatorError.self) {
            try CoordinatorLimits.checkDescriptors(workers: 324, listens: true, limit: 1024)
        }
    }

    @Test func workersThatNeedMoreThreadsThanThereMayBeAreRefused() throws {
        try CoordinatorLimits.checkThreads(workers: 10, programs: false, limit: 100, used: 34)
        let error = #expect(throws: CoordinatorError.self) {
            try CoordinatorLimits.checkThreads(workers: 10, programs: true, limit: 100, used: 34)
        }
        #expect(
            error?.description.contains("ulimit -u 110") == true && error?.description.contains("--workers 8") == true)
        let none = #expect(throws: CoordinatorError.self) {
            try CoordinatorLimits.checkThreads(workers: 1, programs: false, limit: 100, used: 99)
        }
        #expect(none?.description.contains("--workers") == false)
    }

    @Test func limitsOfThisProcessAreRaisedAndCounted() throws {
        #expect(ProcessLimits.raiseDescriptors() >= 256)
        #expect(ProcessLimits.threadsOfUser >= 1)
        let before = ProcessLimits.openDescriptors
        let files = (0..<50).map { _ in open("/dev/null", O_RDONLY) }
        #expect(ProcessLimits.openDescriptors >= before + 25)
        for file in files { close(file) }
    }
}
