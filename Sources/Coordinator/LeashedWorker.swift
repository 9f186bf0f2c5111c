import ZeroMQ

/// The command line of a worker process that a coordinator, or a keeper, spawns: one side writes it, the other reads it.
///
/// It has the form of any worker's command line. The worker reads it without the command-line parser, which would take
/// longer than everything else that the process does before it connects.
public struct LeashedWorker: Sendable, Equatable {
    /// Where the coordinator listens; several addresses with commas.
    public var endpoint: String
    public var verbose: Bool
    /// Whether its standard input begins with its keys.
    public var isKeyed: Bool

    private static let head = ["worker", "--leashed", "--connect"]
    private static let verboseFlag = "--verbose"
    private static let keyedFlag = "--keyed"

    public init(endpoint: String, verbose: Bool, isKeyed: Bool = false) {
        self.endpoint = endpoint
        self.verbose = verbose
        self.isKeyed = isKeyed
    }

    /// Nil for any other arguments.
    public init?(arguments: some Collection<String>) {
        let rest = Array(arguments.dropFirst(Self.head.count))
        guard arguments.starts(with: Self.head), let endpoint = rest.first else { return nil }
        let flags = rest.dropFirst()
        guard flags.allSatisfy({ [Self.verboseFlag, Self.keyedFlag].contains($0) }) else { return nil }
        self.init(
            endpoint: endpoint, verbose: flags.contains(Self.verboseFlag), isKeyed: flags.contains(Self.keyedFlag))
    }

    public var arguments: [String] {
        Self.head + [endpoint] + (isKeyed ? [Self.keyedFlag] : []) + (verbose ? [Self.verboseFlag] : [])
    }

    /// The pair of a worker and the key that it expects of its coordinator, as they go through its standard input.
    package struct Keys {
        package var own: CurveKeyPair
        package var coordinator: CurvePublicKey

        init(own: CurveKeyPair, coordinator: CurvePublicKey) {
            self.own = own
            self.coordinator = coordinator
        }

        /// - Returns: nil where something else comes, or the input ends.
        package init?(_ nextByte: () -> UInt8?) {
            var bytes: [UInt8] = []
            while bytes.count < 2 * CurvePublicKey.length, let byte = nextByte() { bytes.append(byte) }
            let text = String(decoding: bytes, as: UTF8.self)
            guard let own = CurveKeyPair(secret: text.prefix(CurvePublicKey.length)),
                let coordinator = CurvePublicKey(text.dropFirst(CurvePublicKey.length))
            else { return nil }
            self.init(own: own, coordinator: coordinator)
        }

        var bytes: [UInt8] { Array(own.secret.utf8) + Array("\(coordinator)".utf8) }
    }
}
