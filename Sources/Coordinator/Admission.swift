import Sharding
import Wire

/// The rule about which workers a run takes, and what they are told about the run.
struct Admission: Equatable {
    var welcome: Welcome
    /// The Swift transform that the job needs; nil for none.
    var transform: String?

    /// The reason why this worker cannot work for the run; nil if it can.
    func refusal(of hello: Hello) -> Refusal? {
        guard hello.version == protocolVersion else {
            return Refusal(
                reason: "it speaks protocol \(hello.version), the coordinator \(protocolVersion)",
                mend: "install the same version of coord on both hosts")
        }
        if let transform, !hello.transforms.contains(transform) {
            return Refusal(
                reason: "the job needs the transform \(transform), which this worker does not have",
                mend: "it has: \(hello.transforms.joined(separator: ", "))")
        }
        if hello.isReady, hello.run != welcome.run {
            return Refusal(
                reason:
                    "it worked for run \(hello.run?.description ?? "0"), and the coordinator leads run \(welcome.run)",
                mend: "start the worker again")
        }
        return nil
    }
}
