import Sharding

/// Why an answer cannot be used.
struct AnswerFault: Error, Equatable {
    var reason: String
    /// The key of the row that it is for, as far as that was found out.
    var key: Key?
    var column: String?
}
