/// A half-open range of the key, `(after, through]`. A missing end is open: below every key, above every key.
public struct KeyRange: Hashable, Sendable, CustomStringConvertible {
    public var after: Key?
    public var through: Key?

    public init(after: Key?, through: Key?) {
        self.after = after
        self.through = through
    }

    public static let everything = KeyRange(after: nil, through: nil)

    public var description: String { "(\(after?.description ?? "-∞"), \(through?.description ?? "+∞")]" }
}

/// The first fault of a list of ranges that should tile a range (invariant I4).
public enum TilingError: Error, Equatable, CustomStringConvertible {
    case empty
    case lowerEnd(found: KeyRange)
    case upperEnd(found: KeyRange)
    /// Two neighbours do not meet: a gap or an overlap.
    case seam(index: Int, left: KeyRange, right: KeyRange)
    /// A range without keys, `(k, k]`.
    case hollow(index: Int, range: KeyRange)

    public var description: String {
        switch self {
        case .empty: "no ranges"
        case .lowerEnd(let range): "the first range \(range) does not begin where the key space begins"
        case .upperEnd(let range): "the last range \(range) does not end where the key space ends"
        case .seam(let index, let left, let right): "ranges \(index - 1) \(left) and \(index) \(right) do not meet"
        case .hollow(let index, let range): "range \(index) \(range) can hold no key"
        }
    }
}

extension KeyRange {
    /// Checks that `ranges` tile `whole` exactly: no gap, no overlap, in order.
    ///
    /// Neighbours share their boundary value, so the check needs no knowledge of the key's order, except that the
    /// caller lists the ranges in it.
    /// - Throws: `TilingError` that names the first fault.
    public static func checkTiling(_ ranges: [KeyRange], of whole: KeyRange = .everything) throws(TilingError) {
        guard let first = ranges.first, let last = ranges.last else { throw .empty }
        guard first.after == whole.after else { throw .lowerEnd(found: first) }
        guard last.through == whole.through else { throw .upperEnd(found: last) }
        for (index, range) in ranges.enumerated() {
            if let after = range.after, after == range.through { throw .hollow(index: index, range: range) }
            guard index > 0 else { continue }
            let left = ranges[index - 1]
            guard let seam = left.through, seam == range.after else {
                throw .seam(index: index, left: left, right: range)
            }
        }
    }

    /// Cuts the range behind `boundary`, which must lie inside it; nil when it equals one of the ends, since one part
    /// would then hold no key.
    public func split(at boundary: Key) -> (KeyRange, KeyRange)? {
        guard boundary != after, boundary != through else { return nil }
        return (KeyRange(after: after, through: boundary), KeyRange(after: boundary, through: through))
    }
}
