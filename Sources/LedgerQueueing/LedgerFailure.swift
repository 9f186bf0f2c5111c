/// The failure of a task in the ledger. Its kind decides how the queue goes on.
package struct LedgerFailure: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Kind: Sendable, CaseIterable {
        /// Another session holds a lock, or the server lacks a resource that may become free: the same task may succeed
        /// a moment later.
        case busy
        /// The connection is gone, or the server cannot write now. The task may have been done or not.
        case away
        /// No repetition helps. The failure may follow from another fault of the run.
        case lasting
        /// The failure itself names the fault of the run.
        case damage
    }

    package var kind: Kind
    package var error: any Error
    /// Whether the server answers but accepts no writes. Only with the kind `away`.
    package var isReadOnly: Bool

    package init(_ kind: Kind, _ error: any Error, isReadOnly: Bool = false) {
        self.kind = kind
        self.error = error
        self.isReadOnly = isReadOnly
    }

    package var description: String { "\(error)" }

    /// The underlying errors are compared by their text.
    package static func == (left: Self, right: Self) -> Bool {
        left.kind == right.kind && left.isReadOnly == right.isReadOnly && left.description == right.description
    }
}
