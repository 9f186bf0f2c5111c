import Sharding

/// The limits of a run's pace in JSON.
struct PaceObject: Encodable {
    /// The most workers that may write at the same time; null for no limit.
    var writers: Nullable<Int>
    var rowsPerSecond: Nullable<Int64>
    /// UTC, in ISO 8601; null where the limits stay.
    var until: Nullable<String>
    var askedBy: String

    init(_ pace: Pace) {
        writers = Nullable(pace.writers)
        rowsPerSecond = Nullable(pace.rowsPerSecond)
        until = Nullable(pace.until.flatMap { UTCTime.text(seconds: $0) })
        askedBy = pace.by
    }
}
