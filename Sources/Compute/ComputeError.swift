import Sharding

/// The failure of a program or transform.
///
/// `description` is for a person: it quotes the program's own words, and of the rows only the key and the answer at
/// fault. Two errors with the same `reason` and the same key are one repeated error: another try would give it a third
/// time.
package struct ComputeError: Error, Equatable, CustomStringConvertible {
    package var description: String
    /// The fault in words that do not vary between repetitions: no row, no pid, no time, and none of the program's
    /// words.
    package var reason: String
    /// The key of the row at fault; nil when no row is known to be at fault.
    package var key: Key?
    /// The column with the wrong value; nil when no column is at fault.
    package var column: String?
    /// No program of this worker has ever answered a row: the command may be wrong.
    package var beforeFirstAnswer = false

    package init(description: String, reason: String? = nil, key: Key? = nil, column: String? = nil) {
        self.description = description
        self.reason = reason ?? description
        self.key = key
        self.column = column
    }
}
