import Batches

/// The compute program's protocol: one JSON object in each line.
///
/// A small codec of its own, since the values have PostgreSQL's text form on both sides: a JSON library would allocate
/// several objects for each row.
enum JSONLine {
    /// Appends a value to `line`.
    static func append(_ value: UnsafeRawBufferPointer?, as form: Form, to line: inout [UInt8]) {
        guard let value else { return line.append(contentsOf: "null".utf8) }
        if let delimiter = form.delimiter {
            return appendArray(value, of: form, delimiter: delimiter, to: &line)
        }
        appendScalar(value, as: form, to: &line)
    }

    static func appendScalar(_ value: UnsafeRawBufferPointer, as form: Form, to line: inout [UInt8]) {
        switch form.scalar {
        case .smallint, .integer, .bigint, .oid, .float, .numeric:
            // JSON has no NaN and no infinities.
            guard !form.quotesNumbers, let first = value.first,
                (first >= 48 && first <= 57) || (first == 45 && value.count > 1 && value[1] != 73)
            else { return appendString(value, to: &line) }
            line.append(contentsOf: value)
        case .boolean:
            line.append(contentsOf: value.first == 116 ? "true".utf8 : "false".utf8)
        case .json:
            appendJSON(value, to: &line)
        case .uuid, .string, .text:
            appendString(value, to: &line)
        }
    }

    private static let hexDigits = Array("0123456789abcdef".utf8)

    static func appendString(_ value: UnsafeRawBufferPointer, to line: inout [UInt8]) {
        line.append(34)
        var start = 0
        for index in 0..<value.count {
            let byte = value[index]
            guard byte < 32 || byte == 34 || byte == 92 || byte == 0xC2 || byte == 0xE2 else { continue }
            if byte >= 0xC2 {
                guard let code = lineSeparator(in: value, at: index) else { continue }
                line.append(contentsOf: value[start..<index])
                start = index + (byte == 0xC2 ? 2 : 3)
                line.append(contentsOf: code.utf8)
                continue
            }
            line.append(contentsOf: value[start..<index])
            start = index + 1
            switch byte {
            case 34: line.append(contentsOf: [92, 34])
            case 92: line.append(contentsOf: [92, 92])
            case 10: line.append(contentsOf: [92, 110])
            case 13: line.append(contentsOf: [92, 114])
            case 9: line.append(contentsOf: [92, 116])
            default:
                line.append(contentsOf: [92, 117, 48, 48, hexDigits[Int(byte >> 4)], hexDigits[Int(byte & 15)]])
            }
        }
        line.append(contentsOf: UnsafeRawBufferPointer(rebasing: value[start...]))
        line.append(34)
    }

    static func appendString(_ text: String, to line: inout [UInt8]) {
        var text = text
        text.withUTF8 { appendString(UnsafeRawBufferPointer($0), to: &line) }
    }

    /// Appends text that is JSON already, on one line.
    private static func appendJSON(_ value: UnsafeRawBufferPointer, to line: inout [UInt8]) {
        var start = 0
        for index in 0..<value.count {
            let byte = value[index]
            guard byte == 10 || byte == 13 || byte == 0xC2 || byte == 0xE2 else { continue }
            // In JSON a line break can only be white space between tokens; the other line separators can only be inside
            // strings.
            var code = " "
            if byte >= 0xC2 {
                guard let separator = lineSeparator(in: value, at: index) else { continue }
                code = separator
            }
            line.append(contentsOf: value[start..<index])
            start = index + (byte < 128 ? 1 : byte == 0xC2 ? 2 : 3)
            line.append(contentsOf: code.utf8)
        }
        line.append(contentsOf: UnsafeRawBufferPointer(rebasing: value[start...]))
    }

    /// The escape of a line separator at that place; nil for other characters. Some readers end a line there: Node.js
    /// at U+2028 and U+2029, Python's `splitlines` also at U+0085.
    private static func lineSeparator(in value: UnsafeRawBufferPointer, at index: Int) -> String? {
        if value[index] == 0xC2 {
            return index + 1 < value.count && value[index + 1] == 0x85 ? "\\u0085" : nil
        }
        guard index + 2 < value.count, value[index + 1] == 0x80 else { return nil }
        switch value[index + 2] {
        case 0xA8: return "\\u2028"
        case 0xA9: return "\\u2029"
        default: return nil
        }
    }
}
