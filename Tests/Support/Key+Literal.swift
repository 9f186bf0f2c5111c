import Sharding

/// A key of one column.
extension Key: ExpressibleByStringLiteral {
    public init(stringLiteral value: String) { self.init(value) }
}
