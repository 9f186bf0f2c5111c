import Sharding

/// A shard with its range, for people.
package struct ShardDetail: Sendable, Equatable {
    package var record: ShardRecord
    package var range: KeyRange
    package var cursor: Cursor
}
