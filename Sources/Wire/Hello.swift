package import Sharding

/// A worker's first message, which asks for the run, and its second, once it is ready for leases of that run.
package struct Hello: Equatable, Sendable {
    /// The protocol that the worker speaks. Where it is not the coordinator's, the rest may mean anything.
    package var version: UInt32
    package var build: String
    package var host: String
    package var pid: Int32
    /// How many shards it can advance at once.
    package var credit: Int
    /// Names of the Swift transforms compiled into it.
    package var transforms: [String]
    /// It has read the job and may be given leases.
    package var isReady: Bool
    /// The run that the coordinator has named; never nil in a worker that is ready.
    package var run: RunID?
    /// Why it is not ready yet; nil when nothing is wrong.
    package var problem: String?

    package init(
        version: UInt32 = protocolVersion, build: String = "", host: String, pid: Int32, credit: Int = 1,
        transforms: [String] = [], isReady: Bool = false, run: RunID? = nil, problem: String? = nil
    ) {
        self.version = version
        self.build = build
        self.host = host
        self.pid = pid
        self.credit = credit
        self.transforms = transforms
        self.isReady = isReady
        self.run = run
        self.problem = problem
    }
}
