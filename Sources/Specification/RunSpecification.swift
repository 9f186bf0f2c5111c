public import Batches
import FoundationEssentials
public import Sharding

/// A run's job as its workers read it, with every name resolved and every limit set.
///
/// The coordinator that opens a run makes the specification, and the ledger keeps it. So a worker needs neither the job
/// file nor the catalogue.
public struct RunSpecification: Codable, Sendable, Equatable {
    /// The version that this build writes, and the newest version that it reads.
    static let currentVersion = 2

    var version = currentVersion
    public var target: Target
    public var batch: BatchLimits
    public var retry: RetryPolicy
    /// How long a batch may wait for a lock while it holds other locks.
    public var lockPatience: Duration
    /// The `TimeZone` of the sessions that move values; nil if the job names none.
    public var timeZone: String?
    /// Session settings under which the job's expressions keep the meaning that they had when the run was made.
    public var settings: [String: String]
    /// The search path for names in the job's expressions.
    public var searchPath: String
    /// The program or transform that computes the new values; nil for a `set` job.
    public var program: ProgramSpecification?
    /// The order of work within a shard; nil for the key's order. It stays the same for the whole run.
    public var comb: Comb?

    public init(
        target: Target, batch: BatchLimits, retry: RetryPolicy, lockPatience: Duration, timeZone: String?,
        settings: [String: String], searchPath: String, program: ProgramSpecification?, comb: Comb? = nil
    ) {
        self.target = target
        self.batch = batch
        self.retry = retry
        self.lockPatience = lockPatience
        self.timeZone = timeZone
        self.settings = settings
        self.searchPath = searchPath
        self.program = program
        self.comb = comb
    }

    // MARK: - In the ledger

    private struct Head: Decodable {
        var version: Int
    }

    /// - Throws: `SpecificationError`.
    public init(json text: String) throws(SpecificationError) {
        let data = Data(text.utf8)
        do {
            let version = try JSONDecoder().decode(Head.self, from: data).version
            guard version <= Self.currentVersion else { throw SpecificationError.newer(version: version) }
            self = try JSONDecoder().decode(Self.self, from: data)
        } catch let error as SpecificationError {
            throw error
        } catch {
            throw SpecificationError.unreadable(reason: "\(error)")
        }
    }

    /// One JSON object.
    public func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
}
