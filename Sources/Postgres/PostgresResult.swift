import CLibPQ

/// A statement's result. Owns libpq's result and frees it.
public final class PostgresResult {
    let raw: OpaquePointer

    init(_ raw: OpaquePointer) { self.raw = raw }
    deinit { PQclear(raw) }

    public var rows: Int { Int(PQntuples(raw)) }
    public var columns: Int { Int(PQnfields(raw)) }

    /// The number of rows that a command changed; 0 if the command tag has no number.
    public var affected: Int64 {
        guard let text = PQcmdTuples(raw) else { return 0 }
        return Int64(String(cString: text)) ?? 0
    }

    /// The index of the column of this name; nil if there is none.
    package func column(named name: String) -> Int? {
        let index = PQfnumber(raw, name)
        return index < 0 ? nil : Int(index)
    }

    public func isNull(_ row: Int, _ column: Int) -> Bool { PQgetisnull(raw, Int32(row), Int32(column)) == 1 }

    /// The value in text form; nil for null.
    public func text(_ row: Int, _ column: Int) -> String? {
        guard !isNull(row, column), let value = PQgetvalue(raw, Int32(row), Int32(column)) else { return nil }
        return String(cString: value)
    }

    public func int(_ row: Int, _ column: Int) -> Int64? { text(row, column).flatMap { Int64($0) } }

    public func bool(_ row: Int, _ column: Int) -> Bool? { text(row, column).map { $0 == "t" } }

    /// The value's bytes as received, valid as long as the result; nil for null.
    public func bytes(_ row: Int, _ column: Int) -> UnsafeRawBufferPointer? {
        guard !isNull(row, column), let value = PQgetvalue(raw, Int32(row), Int32(column)) else { return nil }
        return UnsafeRawBufferPointer(start: value, count: Int(PQgetlength(raw, Int32(row), Int32(column))))
    }

    /// Number of parameters, in the description of a statement.
    public var parameters: Int { Int(PQnparams(raw)) }

    /// OID of a column's type.
    public func type(_ column: Int) -> UInt32 { PQftype(raw, Int32(column)) }
}
