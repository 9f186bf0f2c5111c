/// Where a shard stands: what of its range is done, as its row in the ledger says.
///
/// A value to hand on and to compare. What it means is known to `Batches` alone, which makes every new one and looks into it.
public struct Cursor: Hashable, Sendable, CustomStringConvertible {
    /// Every key of the shard up to this one is done; nil before the first.
    package var checkpoint: Key?
    /// What is under way behind the checkpoint; nil in key order, and between two stretches.
    package var stretch: Stretch?

    /// Keys behind the checkpoint that are done stripe by stripe.
    package struct Stretch: Hashable, Sendable {
        /// The last key of the stretch. Its first batch has fixed it.
        package var end: Key
        /// The stripe that is under way, from 0. Those before it are done.
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

    /// In key order, behind one key.
    package init(_ checkpoint: String) { self.init(Key(checkpoint)) }

    /// Before the first row.
    public static let start = Cursor()

    /// A cursor in the form that the ledger has: a key is an array of texts. Made by hand, it can be anything.
    ///
    /// - Returns: nil where it is no cursor.
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
