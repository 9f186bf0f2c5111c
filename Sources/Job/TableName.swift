/// A table's name as the catalogue has it: unquoted, case folded.
public struct TableName: Sendable, Hashable, CustomStringConvertible {
    /// The schema, or `nil` to look along the session's search path.
    public var schema: String?
    /// The table.
    public var name: String

    /// Makes a name of catalogue names, which are not parsed or folded.
    public init(schema: String? = nil, name: String) {
        self.schema = schema
        self.name = name
    }

    /// The name for people and for job files, quoted only where needed: `public."Order Items"`.
    ///
    /// Not for SQL statements: a reserved word is not quoted here. Use the server's own quoting for those.
    public var description: String {
        [schema, name].compactMap { $0.map(Identifier.quotedWhereNeeded) }.joined(separator: ".")
    }
}
