import Sharding

/// The fault of a refused answer.
struct AnswerFault: Error, Equatable {
    var reason: String
    /// The key of the answer's row, if the answer names one.
    var key: Key?
    var column: String?
}
