/// A change of the limits of a run's pace. What is nil stays as it is.
package struct PaceChange: Sendable, Equatable {
    package enum Limit: Sendable, Equatable {
        case most(Int64)
        case lifted
    }

    package var writers: Limit?
    package var rowsPerSecond: Limit?
    /// For how many seconds the limits hold from now on.
    package var seconds: Limit?

    package init(writers: Limit? = nil, rowsPerSecond: Limit? = nil, seconds: Limit? = nil) {
        self.writers = writers
        self.rowsPerSecond = rowsPerSecond
        self.seconds = seconds
    }

    /// Lifts all limits.
    package static let off = PaceChange(writers: .lifted, rowsPerSecond: .lifted, seconds: .lifted)
}

extension PaceChange.Limit? {
    /// The limit after the change, as a parameter.
    func after(_ before: Int64?) -> String? {
        switch self {
        case .most(let number): "\(number)"
        case .lifted: nil
        case nil: before.map { "\($0)" }
        }
    }
}
