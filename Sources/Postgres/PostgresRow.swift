import CLibPQ

/// One row during a read; valid only inside the call that gives it.
public struct PostgresRow: ~Copyable {
    let raw: OpaquePointer

    /// The value's bytes in text form; nil for null.
    @inline(__always)
    public func bytes(_ column: Int) -> UnsafeRawBufferPointer? {
        let length = PQgetlength(raw, 0, Int32(column))
        // Only a value without bytes can be null.
        guard length > 0 || PQgetisnull(raw, 0, Int32(column)) == 0, let value = PQgetvalue(raw, 0, Int32(column))
        else {
            return nil
        }
        return UnsafeRawBufferPointer(start: value, count: Int(length))
    }

    /// Bytes of the value; 0 for null.
    @inline(__always)
    public func length(_ column: Int) -> Int { Int(PQgetlength(raw, 0, Int32(column))) }

    public func text(_ column: Int) -> String? { bytes(column).map { String(decoding: $0, as: UTF8.self) } }
}
