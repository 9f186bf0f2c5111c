/// A worker process that a coordinator spawns, as the two sides of its command line.
///
/// It looks like any worker's, and is read without the parser of the command line, which takes longer than all else that
/// happens in such a process before it connects.
public struct LeashedWorker: Sendable, Equatable {
    public var endpoint: String
    public var verbose: Bool

    private static let head = ["worker", "--leashed", "--connect"]
    private static let verboseFlag = "--verbose"

    public init(endpoint: String, verbose: Bool) {
        self.endpoint = endpoint
        self.verbose = verbose
    }

    /// Nil when the arguments are anything else.
    public init?(arguments: some Collection<String>) {
        let rest = Array(arguments.dropFirst(Self.head.count))
        guard arguments.starts(with: Self.head), let endpoint = rest.first else { return nil }
        guard rest.dropFirst().allSatisfy({ $0 == Self.verboseFlag }) else { return nil }
        self.init(endpoint: endpoint, verbose: rest.count > 1)
    }

    public var arguments: [String] { Self.head + [endpoint] + (verbose ? [Self.verboseFlag] : []) }
}
