import Sharding

/// A program or transform that did not do its part.
///
/// `description` is for a person: it quotes the program's own words, and of the rows the key and the answer at fault.
/// Two errors with equal `reason` and `key`, where there is a key, are the same row's same error: to compute that row
/// once more would give it a third time.
package struct ComputeError: Error, Equatable, CustomStringConvertible {
    package var description: String
    /// What was wrong, the same each time that it happens again: without the row, pids, times, and the program's words.
    package var reason: String
    /// The key of the row that it concerns; nil where it is not known to concern one.
    package var key: Key?
    /// The column whose value was wrong; nil where it is about none.
    package var column: String?
    /// No program of this worker has ever answered a row: it may not start at all, or be another program than was meant.
    package var beforeFirstAnswer = false

    package init(description: String, reason: String? = nil, key: Key? = nil, column: String? = nil) {
        self.description = description
        self.reason = reason ?? description
        self.key = key
        self.column = column
    }
}
