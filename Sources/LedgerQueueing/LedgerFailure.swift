/// Why the ledger did not do what it was asked, and what can be done about it.
package struct LedgerFailure: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Kind: Sendable, CaseIterable {
        /// Somebody holds a lock, or the server lacks something that others give back: the same task may pass a moment
        /// later.
        case busy
        /// The connection is gone, or the server cannot write now. Whether the task was done is not known.
        case away
        /// No repetition helps. It may follow from something else that is wrong with the run.
        case lasting
        /// It says itself what is wrong with the run.
        case damage
    }

    package var kind: Kind
    package var error: any Error
    /// The server is there, and takes no writes. Only where it is `away`.
    package var isReadOnly: Bool

    package init(_ kind: Kind, _ error: any Error, isReadOnly: Bool = false) {
        self.kind = kind
        self.error = error
        self.isReadOnly = isReadOnly
    }

    package var description: String { "\(error)" }

    /// Errors are compared by their text.
    package static func == (left: Self, right: Self) -> Bool {
        left.kind == right.kind && left.isReadOnly == right.isReadOnly && left.description == right.description
    }
}
