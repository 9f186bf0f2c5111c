import Testing

@testable import Coordinator

struct LeashedWorkerTests {
    @Test(arguments: [false, true], [false, true])
    func itsCommandLineIsReadAsItWasWritten(verbose: Bool, isKeyed: Bool) {
        let worker = LeashedWorker(endpoint: "ipc:///tmp/coord-x/run", verbose: verbose, isKeyed: isKeyed)
        #expect(LeashedWorker(arguments: worker.arguments) == worker)
    }

    @Test(arguments: [
        [], ["worker"], ["worker", "--leashed", "--connect"], ["worker", "--connect", "ipc:///x"],
        ["worker", "--leashed", "--connect", "ipc:///x", "--json"], ["start", "--leashed", "--connect", "ipc:///x"],
    ])
    func otherCommandLinesAreForTheParser(arguments: [String]) { #expect(LeashedWorker(arguments: arguments) == nil) }
}
