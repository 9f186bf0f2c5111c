/// The keys of a job file.
enum JobKeys {
    static let top = [
        "name", "table", "key", "where", "read", "set", "compute", "batch", "shards", "retry",
        "lock_patience", "order", "in_flight", "time_zone", "database", "ledger_schema",
    ]
    static let compute = ["command", "transform", "writes", "timeout", "numbers"]
    static let batch = ["rows", "bytes"]
    static let retry = ["attempts", "backoff", "max_backoff"]

    /// The key that `name` belongs under: "" is the top level.
    static func home(of name: String) -> String? {
        [("", top), ("compute", compute), ("batch", batch), ("retry", retry)].first { $0.1.contains(name) }?.0
    }
}
