import Sharding
import Testing
import Wire

@testable import Coordinator

@Suite struct AdmissionTests {
    private static let welcome = Welcome(
        run: RunID(1), systemIdentifier: "7", database: "d", heartbeatInterval: .seconds(1), ledgerSchema: "coord")

    @Test func whoeverSpeaksTheProtocolMayGetReady() {
        let admission = Admission(welcome: Self.welcome)
        #expect(admission.refusal(of: Hello(host: "north", pid: 7)) == nil)
        #expect(admission.refusal(of: Hello(host: "north", pid: 7, isReady: true, run: RunID(1))) == nil)
    }

    @Test func otherProtocolIsRefusedWhateverElseItSays() {
        let admission = Admission(welcome: Self.welcome, transform: "trim")
        let refusal = admission.refusal(of: Hello(version: protocolVersion + 1, host: "north", pid: 7))
        #expect(refusal?.reason.hasPrefix("it speaks protocol \(protocolVersion + 1)") == true)
    }

    @Test func workerWithoutTheTransformIsRefused() {
        let admission = Admission(welcome: Self.welcome, transform: "trim")
        let refusal = admission.refusal(of: Hello(host: "north", pid: 7, transforms: ["upper", "lower"]))
        #expect(refusal?.mend == "it has: upper, lower")
        #expect(admission.refusal(of: Hello(host: "north", pid: 7, transforms: ["trim"])) == nil)
    }

    @Test func workerOfAnotherRunIsRefused() {
        let admission = Admission(welcome: Self.welcome)
        #expect(admission.refusal(of: Hello(host: "north", pid: 7, isReady: true, run: RunID(2))) != nil)
        #expect(admission.refusal(of: Hello(host: "north", pid: 7, isReady: true)) != nil)
    }
}
