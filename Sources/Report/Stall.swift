public import Sharding

/// No batch has committed for a while, and what the workers do instead.
public struct Stall: Equatable, Sendable {
    /// A worker that holds a shard.
    public struct Holder: Equatable, Sendable {
        /// Nil where it is not known, or no longer.
        public var process: ProcessName?
        public var shard: ShardID
        /// The step under way, such as "computing", and for how long it has been.
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
    /// The workers that hold shards, some of them by name.
    public var holders: [Holder]
    /// How many more hold one.
    public var others: Int

    public init(since: Duration, holders: [Holder] = [], others: Int = 0) {
        self.since = since
        self.holders = holders
        self.others = others
    }
}
