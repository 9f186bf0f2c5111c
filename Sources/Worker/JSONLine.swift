import Ledger

/// The compute program's protocol: one JSON object a line.
///
/// coord writes its own small codec here, since the values are in PostgreSQL's text form on both sides: a JSON library
/// would make and drop several objects a row.
enum JSONLine {
    /// How a column's text becomes JSON.
    enum Form: Sendable {
        /// Digits as they are; `NaN` and the infinities as strings.
        case number
        case boolean
        /// Text that is JSON already.
        case json
        case string

        static func of(type: UInt32) -> Form {
            switch type {
            case 20, 21, 23, 26, 700, 701, 1700: .number
            case 16: .boolean
            case 114, 3802: .json
            default: .string
            }
        }
    }

    /// Appends a value to `line`.
    static func append(_ value: UnsafeRawBufferPointer?, as form: Form, to line: inout [UInt8]) {
        guard let value else { return line.append(contentsOf: "null".utf8) }
        switch form {
        case .number:
            guard let first = value.first, (first >= 48 && first <= 57) || (first == 45 && value.count > 1),
                !(first == 45 && value[1] == 73)
            else { return appendString(value, to: &line) }
            line.append(contentsOf: value)
        case .boolean:
            line.append(contentsOf: value.first == 116 ? "true".utf8 : "false".utf8)
        case .json:
            // A line break in JSON can only be white space between tokens.
            for byte in value { line.append(byte == 10 || byte == 13 ? 32 : byte) }
        case .string:
            appendString(value, to: &line)
        }
    }

    private static let hexDigits = Array("0123456789abcdef".utf8)

    static func appendString(_ value: UnsafeRawBufferPointer, to line: inout [UInt8]) {
        line.append(34)
        var start = 0
        for index in 0..<value.count {
            let byte = value[index]
            guard byte < 32 || byte == 34 || byte == 92 else { continue }
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

    // MARK: - Reading

    /// A value of an answer, as a place in its line.
    struct Value {
        enum Kind {
            case string
            case null
            /// Numbers, `true` and `false`.
            case bare
            /// An object or an array, as its own text.
            case nested
        }
        var kind: Kind
        /// Without the quotes for strings, still escaped.
        var range: Range<Int>
        var escaped = false
    }

    /// Why a line is not an answer.
    struct Fault: Error, Equatable {
        var reason: String
    }

    /// Reads the members of the object that a line holds, one after another.
    struct Members {
        private var scanner: Scanner
        private var begun = false
        private var ended = false

        init(_ line: UnsafeRawBufferPointer) { scanner = Scanner(bytes: line) }

        /// The next member; nil behind the last.
        mutating func next() throws(Fault) -> (name: Value, value: Value)? {
            guard !ended else { return nil }
            scanner.skipSpace()
            if begun {
                guard scanner.take(44) else { return try end() }
                scanner.skipSpace()
            } else {
                begun = true
                guard scanner.take(123) else { throw Fault(reason: "not a JSON object") }
                scanner.skipSpace()
                if scanner.peek == 125 { return try end() }
            }
            guard scanner.peek == 34 else { throw Fault(reason: "a member's name is missing") }
            let name = try scanner.value()
            scanner.skipSpace()
            guard scanner.take(58) else { throw Fault(reason: "a colon is missing") }
            scanner.skipSpace()
            return (name, try scanner.value())
        }

        private mutating func end() throws(Fault) -> (name: Value, value: Value)? {
            guard scanner.take(125) else { throw Fault(reason: "the object does not end") }
            scanner.skipSpace()
            guard scanner.atEnd else { throw Fault(reason: "text follows the object") }
            ended = true
            return nil
        }
    }

    fileprivate struct Scanner {
        let bytes: UnsafeRawBufferPointer
        var index = 0
        /// Deepest nesting of a value.
        static let depthLimit = 512

        init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

        var atEnd: Bool { index >= bytes.count }
        var peek: UInt8? { index < bytes.count ? bytes[index] : nil }

        mutating func take(_ byte: UInt8) -> Bool {
            guard peek == byte else { return false }
            index += 1
            return true
        }

        mutating func skipSpace() {
            while let byte = peek, byte == 32 || byte == 9 || byte == 13 || byte == 10 { index += 1 }
        }

        mutating func value() throws(Fault) -> Value {
            switch peek {
            case 34: return try string()
            case 123, 91: return try nested()
            default: return try bare()
            }
        }

        private mutating func string() throws(Fault) -> Value {
            index += 1
            let start = index
            var escaped = false
            while let byte = peek {
                if byte == 34 {
                    defer { index += 1 }
                    return Value(kind: .string, range: start..<index, escaped: escaped)
                }
                if byte == 92 {
                    escaped = true
                    index += 1
                }
                index += 1
            }
            throw Fault(reason: "a string does not end")
        }

        private mutating func bare() throws(Fault) -> Value {
            let start = index
            while let byte = peek, byte != 44, byte != 125, byte != 93, byte > 32 { index += 1 }
            let text = UnsafeRawBufferPointer(rebasing: bytes[start..<index])
            if JSONLine.isNumber(text) { return Value(kind: .bare, range: start..<index) }
            if text.elementsEqual("null".utf8) { return Value(kind: .null, range: start..<index) }
            guard text.elementsEqual("true".utf8) || text.elementsEqual("false".utf8) else {
                throw Fault(reason: "a value is not JSON")
            }
            return Value(kind: .bare, range: start..<index)
        }

        private mutating func nested() throws(Fault) -> Value {
            let start = index
            var depth = 0
            while let byte = peek {
                switch byte {
                case 34:
                    _ = try string()
                    continue
                case 123, 91:
                    depth += 1
                    guard depth <= Self.depthLimit else { throw Fault(reason: "a value is nested too deeply") }
                case 125, 93: depth -= 1
                default: break
                }
                index += 1
                if depth == 0 { return Value(kind: .nested, range: start..<index) }
            }
            throw Fault(reason: "a nested value does not end")
        }
    }

    static func isNumber(_ text: UnsafeRawBufferPointer) -> Bool {
        guard let first = text.first, first == 45 || (first >= 48 && first <= 57) else { return false }
        return text.allSatisfy { byte in
            switch byte {
            case 48...57, 43, 45, 46, 69, 101: true
            default: false
            }
        }
    }

    /// Appends the text of a string value with its escapes resolved.
    static func unescape(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) throws(Fault) {
        var index = 0
        while index < bytes.count {
            guard bytes[index] == 92 else {
                output.append(bytes[index])
                index += 1
                continue
            }
            guard index + 1 < bytes.count else { throw Fault(reason: "an escape does not end") }
            index += 2
            switch bytes[index - 1] {
            case 110: output.append(10)
            case 116: output.append(9)
            case 114: output.append(13)
            case 98: output.append(8)
            case 102: output.append(12)
            case 117:
                var code = try hex(bytes, &index)
                if code >= 0xD800, code < 0xDC00 {
                    guard index + 1 < bytes.count, bytes[index] == 92, bytes[index + 1] == 117 else {
                        throw Fault(reason: "half a surrogate pair")
                    }
                    index += 2
                    let low = try hex(bytes, &index)
                    guard low >= 0xDC00, low < 0xE000 else { throw Fault(reason: "half a surrogate pair") }
                    code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
                }
                guard let scalar = Unicode.Scalar(code), code != 0 else {
                    throw Fault(reason: "\\u0000 and half a surrogate pair cannot be text in PostgreSQL")
                }
                output.append(contentsOf: UTF8.encode(scalar).map { Array($0) } ?? [])
            case let byte where byte == 34 || byte == 92 || byte == 47: output.append(byte)
            default: throw Fault(reason: "an unknown escape")
            }
        }
    }

    private static func hex(_ bytes: UnsafeRawBufferPointer, _ index: inout Int) throws(Fault) -> UInt32 {
        guard index + 4 <= bytes.count,
            let code = UInt32(String(decoding: bytes[index..<index + 4], as: UTF8.self), radix: 16)
        else { throw Fault(reason: "a \\u escape does not end") }
        index += 4
        return code
    }
}
