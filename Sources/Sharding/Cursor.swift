/// The done part of a shard's range, as the shard's row in the ledger says.
///
/// Only `Batches` moves a cursor. Other modules store it, compare it, or show its checkpoint.
public struct Cursor: Hashable, Sendable, CustomStringConvertible {
    /// Every key of the shard up to this one is done; nil before the first.
    package var checkpoint: Key?
    /// The stretch under way behind the checkpoint; nil in key order, and between two stretches.
    package var stretch: Stretch?

    /// Keys behind the checkpoint that are done stripe by stripe.
    package struct Stretch: Hashable, Sendable {
        /// The last key of the stretch. The stretch's first batch fixes it.
        package var end: Key
        /// The stripe under way, from 0. Lower stripes are done.
        package var stripe: Int
        /// The last key of this stripe that is done; nil before the first.
        package var last: Key?

        package init(end: Key, stripe: Int, last: Key?) {
            self.end = end
            self.stripe = stripe
            self.last = last
        }
    }

    package init(_ checkpoint: Key? = nil, stretch: Stretch? = nil) {
        self.checkpoint = checkpoint
        self.stretch = stretch
    }

    /// A cursor in key order, behind a key of one column.
    package init(_ checkpoint: String) { self.init(Key(checkpoint)) }

    /// Before the first row.
    public static let start = Cursor()

    /// Reads a cursor from the columns of a shard's row, where a key is an array of texts. Somebody may have edited
    /// them.
    ///
    /// - Returns: nil when the columns hold no cursor.
    package init?(checkpoint: String?, stretchEnd: String?, stripe: String?, stripeKey: String?) {
        func key(_ literal: String?) -> Key?? {
            guard let literal else { return .some(nil) }
            guard let elements = PostgresArray.parse(literal), !elements.isEmpty, !elements.contains(nil) else {
                return nil
            }
            return Key(elements.compactMap { $0 })
        }
        guard let passed = key(checkpoint), let end = key(stretchEnd), let last = key(stripeKey) else { return nil }
        self.checkpoint = passed
        switch (end, stripe.map { Int($0) }) {
        case (nil, nil):
            guard last == nil else { return nil }
        case (let end?, .some(let number?)) where number >= 0:
            stretch = Stretch(end: end, stripe: number, last: last)
        default: return nil
        }
    }

    public var description: String {
        let passed = checkpoint?.description ?? "the start"
        guard let stretch else { return passed }
        return "\(passed), stripe \(stretch.stripe) up to \(stretch.end) at \(stretch.last?.description ?? "its start")"
    }
}
