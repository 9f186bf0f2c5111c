package import Sharding

/// A worker's first message, which asks for the run, and its second, once it is ready for leases of that run.
package struct Hello: Equatable, Sendable {
    /// The worker's protocol version. If the coordinator has another, the other members may mean anything.
    package var version: UInt32
    package var build: String
    package var host: String
    package var pid: Int32
    /// The number of shards that the worker can advance at once.
    package var credit: Int
    /// Names of the Swift transforms that are compiled into the worker.
    package var transforms: [String]
    /// The worker has read the job and is ready for leases.
    package var isReady: Bool
    /// The run that the coordinator's WELCOME named; never nil when the worker is ready.
    package var run: RunID?
    /// The reason why the worker is not ready yet; nil when nothing is wrong.
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
