import CoordKit
import Postgres

/// Turns text values into the elements of a binary array.
enum ValueEncoder {
    /// A text that is no value of the type.
    struct Fault: Error, Equatable {
        /// The row's index in its batch, from 0.
        var row: Int
        var type: ElementType
    }

    /// Appends one column of `batch` as an array parameter.
    /// - Throws: `Fault`.
    static func append(
        _ batch: RowBatch, column: Int, rows: Int, as type: ElementType, to parameters: inout PostgresParameters
    ) throws {
        try append(batch, column: column, rows: 0..<rows, as: type, to: &parameters)
    }

    /// Appends some rows' values of one column.
    static func append(
        _ batch: RowBatch, column: Int, rows: Range<Int>, as type: ElementType, to parameters: inout PostgresParameters
    ) throws {
        parameters.beginArray(elementType: type.rawValue)
        for row in rows {
            try batch.withBytes(row: row, column: column) { bytes in
                guard let bytes else { return parameters.appendNullElement() }
                guard append(bytes, as: type, to: &parameters) else { throw Fault(row: row, type: type) }
            }
        }
        parameters.endArray()
    }

    /// Appends a written column's values in a form that the server treats like an assignment.
    static func append(
        _ batch: RowBatch, column: Int, rows: Range<Int>, as form: ValueForm, to parameters: inout PostgresParameters
    ) throws {
        switch form {
        case .binary(let type): try append(batch, column: column, rows: rows, as: type, to: &parameters)
        case .converted: try append(batch, column: column, rows: rows, as: .text, to: &parameters)
        case .literal: parameters.append(literal(batch, column: column, rows: rows))
        }
    }

    /// The values as PostgreSQL's text form of an array, `{"a","b\\"c",NULL}`.
    static func literal(_ batch: RowBatch, column: Int, rows: Range<Int>) -> String {
        var text: [UInt8] = [UInt8(ascii: "{")]
        for row in rows {
            if row > rows.lowerBound { text.append(UInt8(ascii: ",")) }
            batch.withBytes(row: row, column: column) { bytes in
                guard let bytes else { return text.append(contentsOf: "NULL".utf8) }
                text.append(UInt8(ascii: "\""))
                for byte in bytes {
                    if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { text.append(UInt8(ascii: "\\")) }
                    text.append(byte)
                }
                text.append(UInt8(ascii: "\""))
            }
        }
        text.append(UInt8(ascii: "}"))
        return String(decoding: text, as: UTF8.self)
    }

    private static func append(
        _ bytes: UnsafeRawBufferPointer, as type: ElementType, to parameters: inout PostgresParameters
    ) -> Bool {
        switch type {
        case .text: parameters.appendElement(bytes)
        case .int8:
            guard let value: Int64 = integer(bytes) else { return false }
            parameters.appendElement(value)
        case .int4:
            guard let value: Int32 = integer(bytes) else { return false }
            parameters.appendElement(value)
        case .int2:
            guard let value: Int16 = integer(bytes) else { return false }
            parameters.appendElement(value)
        case .xid:
            guard let value: UInt32 = integer(bytes) else { return false }
            parameters.appendElement(value)
        case .bool:
            switch String(decoding: bytes, as: UTF8.self) {
            case "t", "true": parameters.appendElement(UInt8(1))
            case "f", "false": parameters.appendElement(UInt8(0))
            default: return false
            }
        case .tid:
            guard let (block, offset) = place(bytes) else { return false }
            parameters.appendElement(block: block, offset: offset)
        case .uuid:
            guard let value = uuid(bytes) else { return false }
            value.withUnsafeBytes { parameters.appendElement($0) }
        }
        return true
    }

    static func integer<Value: FixedWidthInteger>(_ bytes: UnsafeRawBufferPointer) -> Value? {
        var index = bytes.first == 45 ? 1 : 0
        let negative = index == 1
        guard index < bytes.count else { return nil }
        var value: Value = 0
        while index < bytes.count {
            let digit = bytes[index] &- 48
            guard digit < 10 else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) =
                negative
                ? product.subtractingReportingOverflow(Value(digit)) : product.addingReportingOverflow(Value(digit))
            guard !overflow, !carry else { return nil }
            value = sum
            index += 1
        }
        return value
    }

    /// A tid in text form, `(block,offset)`.
    static func place(_ bytes: UnsafeRawBufferPointer) -> (block: UInt32, offset: UInt16)? {
        guard bytes.first == 40, bytes.last == 41, let comma = bytes.firstIndex(of: 44),
            let block: UInt32 = integer(UnsafeRawBufferPointer(rebasing: bytes[1..<comma])),
            let offset: UInt16 = integer(UnsafeRawBufferPointer(rebasing: bytes[(comma + 1)..<(bytes.count - 1)]))
        else { return nil }
        return (block, offset)
    }

    /// Reads the forms of PostgreSQL's input function: optional braces, and optional hyphens after any four digits.
    static func uuid(_ bytes: UnsafeRawBufferPointer) -> [UInt8]? {
        var text = bytes[...]
        if text.first == 123 {
            guard text.last == 125, text.count > 1 else { return nil }
            text = text.dropFirst().dropLast()
        }
        var digits: [UInt8] = []
        var hyphenAllowed = false
        for byte in text {
            switch byte {
            case 48...57: digits.append(byte - 48)
            case 97...102: digits.append(byte - 87)
            case 65...70: digits.append(byte - 55)
            case 45:
                guard hyphenAllowed, digits.count < 32 else { return nil }
                hyphenAllowed = false
                continue
            default: return nil
            }
            hyphenAllowed = digits.count % 4 == 0
        }
        guard digits.count == 32 else { return nil }
        return (0..<16).map { digits[$0 * 2] << 4 | digits[$0 * 2 + 1] }
    }
}
