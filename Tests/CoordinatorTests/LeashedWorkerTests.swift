import Testing

@testable import Coordinator

struct LeashedWorkerTests {
    @Test(arguments: [false, true]) func itsCommandLineIsReadAsItWasWritten(verbose: Bool) {
        let worker = LeashedWorker(endpoint: "ipc:///tmp/coord-x/run", verbose: verbose)
        #expect(LeashedWorker(arguments: worker.arguments) == worker)
    }

    @Test(arguments: [
        [], ["worker"], ["worker", "--leashed", "--connect"], ["worker", "--connect", "ipc:///x"],
        ["worker", "--leashed", "--connect", "ipc:///x", "--json"], ["start", "--leashed", "--connect", "ipc:///x"],
    ])
    func otherCommandLinesAreForTheParser(arguments: [String]) { #expect(LeashedWorker(arguments: arguments) == nil) }
}
