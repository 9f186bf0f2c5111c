/// The command line of a worker process that a coordinator spawns: one side writes it, the other reads it.
///
/// It has the form of any worker's command line. The worker reads it without the command-line parser, which would take
/// longer than everything else that the process does before it connects.
public struct LeashedWorker: Sendable, Equatable {
    public var endpoint: String
    public var verbose: Bool

    private static let head = ["worker", "--leashed", "--connect"]
    private static let verboseFlag = "--verbose"

    public init(endpoint: String, verbose: Bool) {
        self.endpoint = endpoint
        self.verbose = verbose
    }

    /// Nil for any other arguments.
    public init?(arguments: some Collection<String>) {
        let rest = Array(arguments.dropFirst(Self.head.count))
        guard arguments.starts(with: Self.head), let endpoint = rest.first else { return nil }
        guard rest.dropFirst().allSatisfy({ $0 == Self.verboseFlag }) else { return nil }
        self.init(endpoint: endpoint, verbose: rest.count > 1)
    }

    public var arguments: [String] { Self.head + [endpoint] + (verbose ? [Self.verboseFlag] : []) }
}
