public import Sharding

/// A time without a commit, and what the workers do instead.
public struct Stall: Equatable, Sendable {
    /// A worker that holds a shard.
    public struct Holder: Equatable, Sendable {
        /// Nil if the process is not known, or no longer known.
        public var process: ProcessName?
        public var shard: ShardID
        /// The step under way, such as "computing". `stepFor` is how long it has lasted.
        public var step: String
        public var stepFor: Duration

        public init(process: ProcessName?, shard: ShardID, step: String, stepFor: Duration) {
            self.process = process
            self.shard = shard
            self.step = step
            self.stepFor = stepFor
        }
    }

    /// Time since the last commit.
    public var since: Duration
    /// Some of the workers that hold shards.
    public var holders: [Holder]
    /// The number of further workers that hold a shard.
    public var others: Int

    public init(since: Duration, holders: [Holder] = [], others: Int = 0) {
        self.since = since
        self.holders = holders
        self.others = others
    }
}
