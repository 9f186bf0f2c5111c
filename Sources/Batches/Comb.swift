/// An order of work that lets PostgreSQL keep most new row versions on the pages of the old ones (HOT).
///
/// A *stretch* of keys is cut into *stripes* by a fixed function of the key. The first stripe moves one row in `stripes` of
/// each page away; once it has committed, its room on the page is free for the new versions of the stripes that follow.
public struct Comb: Codable, Sendable, Equatable {
    /// The function that gives a key's stripe.
    public enum Rule: String, Codable, Sendable, Equatable {
        /// The remainder of an integer: stripes are even where the numbers are.
        case remainder
        /// A hash of the whole key.
        case hash
    }

    public var stripes: Int
    public var rule: Rule
    /// The row limit of a batch, beside the job's own. A page rests between two stripes while the batches of one stripe
    /// run, so a stripe needs several batches.
    public var batchRows: Int
    /// Keys of a stretch. A worker holds them in memory.
    public var stretchRows: Int

    /// The most keys of a stretch.
    public static let stretchLimit = 100_000
    /// A stretch ends with the key that makes its keys as many bytes, where keys may be long: those of texts.
    package static let stretchBytes = 4 << 20

    public init(stripes: Int, rule: Rule, batchRows: Int, stretchRows: Int) {
        self.stripes = stripes
        self.rule = rule
        self.batchRows = batchRows
        self.stretchRows = stretchRows
    }

    /// The same order with stretches that fill shards evenly. A stretch that is cut short by the end of its shard has short
    /// stripes, in whose time no page rests.
    ///
    /// - Parameter rows: the rows in all shards together.
    package func fitted(shards: Int, rows: Int64) -> Comb {
        guard shards > 0, rows > 0 else { return self }
        let ofShard = Double(rows) / Double(shards)
        let stretches = max(1, (ofShard / Double(stretchRows)).rounded())
        var fitted = self
        // Shards differ a little, and a few rows must not make a stretch.
        fitted.stretchRows = min(Self.stretchLimit, Int(ofShard / stretches * Self.allowance) + 1)
        return fitted
    }

    private static let allowance = 1.02
}
