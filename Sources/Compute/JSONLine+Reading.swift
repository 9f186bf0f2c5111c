extension JSONLine {
    /// A value of an answer, as a range of its line.
    struct Value {
        enum Kind {
            case string
            case null
            case number
            /// `true` and `false`.
            case boolean
            /// The text with its brackets.
            case array
            case object
        }
        var kind: Kind
        /// The range without a string's quotes; the text is still escaped.
        var range: Range<Int>
        var escaped = false
    }

    /// The reason why a line is no answer.
    struct Fault: Error, Equatable {
        var reason: String
    }

    /// Reads the members of a line's object one after another. When the last is read without a fault, the line is valid
    /// JSON by RFC 8259.
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
                guard scanner.isUTF8 else { throw Fault(reason: "not UTF-8") }
                guard scanner.take(123) else { throw Fault(reason: "not a JSON object") }
                scanner.skipSpace()
                if scanner.peek == 125 { return try end() }
            }
            let name = try scanner.name()
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

    /// Appends the text of a string value with its escapes resolved. The string was read by a `Scanner`.
    /// - Throws: `Fault` for a text that PostgreSQL cannot hold.
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
                for byte in String(scalar).utf8 { output.append(byte) }
            case let byte where byte == 34 || byte == 92 || byte == 47: output.append(byte)
            default: throw Fault(reason: "an unknown escape")
            }
        }
    }

    private static func hex(_ bytes: UnsafeRawBufferPointer, _ index: inout Int) throws(Fault) -> UInt32 {
        guard index + 4 <= bytes.count else { throw Fault(reason: "a \\u escape does not end") }
        var code: UInt32 = 0
        for byte in bytes[index..<index + 4] {
            guard let value = hexValue(byte) else {
                throw Fault(reason: "a \\u escape has not four hexadecimal digits")
            }
            code = code << 4 | UInt32(value)
        }
        index += 4
        return code
    }

    static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 48...57: byte - 48
        case 97...102: byte - 87
        case 65...70: byte - 55
        default: nil
        }
    }
}
