internal import Yams

/// One key of a mapping and its value.
struct Field {
    /// The path for messages, such as `batch.rows`.
    let path: String
    /// The key itself, or `nil` for the whole file.
    let key: Node?
    let value: Node

    /// Where the key stands.
    var keyMark: Mark? { key?.mark }
}
