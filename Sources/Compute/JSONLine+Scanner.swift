extension JSONLine {
    /// Reads values strictly by RFC 8259, so that every other JSON reader accepts them too.
    struct Scanner {
        let bytes: UnsafeRawBufferPointer
        var index = 0
        /// Deepest nesting of a value.
        static let depthLimit = 512

        init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

        var atEnd: Bool { index >= bytes.count }
        var peek: UInt8? { index < bytes.count ? bytes[index] : nil }

        /// Whether all the bytes are valid UTF-8.
        var isUTF8: Bool {
            guard let base = bytes.baseAddress else { return true }
            // Most lines are pure ASCII.
            var place = 0
            while place + 8 <= bytes.count {
                let word = base.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                guard word & 0x8080_8080_8080_8080 == 0 else { break }
                place += 8
            }
            let rest = UnsafeRawBufferPointer(rebasing: bytes[place...])
            return (try? UTF8Span(validating: rest.assumingMemoryBound(to: UInt8.self).span)) != nil
        }

        mutating func take(_ byte: UInt8) -> Bool {
            guard peek == byte else { return false }
            index += 1
            return true
        }

        mutating func skipSpace() {
            while let byte = peek, byte == 32 || byte == 9 || byte == 13 || byte == 10 { index += 1 }
        }

        /// A member's name with the colon behind it.
        mutating func name() throws(Fault) -> Value {
            guard peek == 34 else { throw Fault(reason: "a member's name is missing") }
            let name = try string()
            skipSpace()
            guard take(58) else { throw Fault(reason: "a colon is missing") }
            skipSpace()
            return name
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
            while index < bytes.count {
                let byte = bytes[index]
                if byte == 34 {
                    defer { index += 1 }
                    return Value(kind: .string, range: start..<index, escaped: escaped)
                }
                guard byte >= 32 else { throw Fault(reason: "a control character in a string is not escaped") }
                if byte == 92 {
                    escaped = true
                    try escape()
                }
                index += 1
            }
            throw Fault(reason: "a string does not end")
        }

        /// Moves to the last byte of an escape.
        private mutating func escape() throws(Fault) {
            index += 1
            switch peek {
            case nil: throw Fault(reason: "a string does not end")
            case 34, 92, 47, 98, 102, 110, 114, 116: return
            case 117:
                for _ in 0..<4 {
                    index += 1
                    guard let byte = peek, JSONLine.hexValue(byte) != nil else {
                        throw Fault(reason: "a \\u escape has not four hexadecimal digits")
                    }
                }
            default: throw Fault(reason: "an unknown escape")
            }
        }

        private mutating func bare() throws(Fault) -> Value {
            let start = index
            switch peek {
            case .some(45), .some(48...57): return try number()
            case 116 where word("true"), 102 where word("false"):
                return Value(kind: .boolean, range: start..<index)
            case 110 where word("null"): return Value(kind: .null, range: start..<index)
            default: throw Fault(reason: atEnd ? "a value is missing" : "a value is not JSON")
            }
        }

        private mutating func word(_ word: StaticString) -> Bool {
            guard index + word.utf8CodeUnitCount <= bytes.count else { return false }
            for offset in 0..<word.utf8CodeUnitCount where bytes[index + offset] != word.utf8Start[offset] {
                return false
            }
            index += word.utf8CodeUnitCount
            return true
        }

        private mutating func number() throws(Fault) -> Value {
            let start = index
            _ = take(45)
            if take(48) {
                if let byte = peek, byte >= 48, byte <= 57 { throw Fault(reason: "a number begins with a zero") }
            } else if !digits() {
                throw Fault(reason: "a value is not JSON")
            }
            if take(46), !digits() { throw Fault(reason: "a number has no digit behind its point") }
            if take(101) || take(69) {
                if !take(43) { _ = take(45) }
                if !digits() { throw Fault(reason: "a number's exponent has no digit") }
            }
            return Value(kind: .number, range: start..<index)
        }

        private mutating func digits() -> Bool {
            let start = index
            while index < bytes.count, bytes[index] >= 48, bytes[index] <= 57 { index += 1 }
            return index > start
        }

        /// Reads an array or object in a loop and not by recursion: 512 levels of calls would need much stack.
        private mutating func nested() throws(Fault) -> Value {
            let start = index
            var depth = 0
            // One bit for each level: set for an object.
            var objects = InlineArray<8, UInt64>(repeating: 0)
            func isObject(_ depth: Int) -> Bool { objects[(depth - 1) >> 6] & (1 << UInt64((depth - 1) & 63)) != 0 }
            repeat {
                if let byte = peek, byte == 123 || byte == 91 {
                    guard depth < Self.depthLimit else { throw Fault(reason: "a value is nested too deeply") }
                    let bit = UInt64(1) << UInt64(depth & 63)
                    if byte == 123 { objects[depth >> 6] |= bit } else { objects[depth >> 6] &= ~bit }
                    depth += 1
                    index += 1
                    skipSpace()
                    if peek != (byte == 123 ? 125 : 93) {
                        if byte == 123 { _ = try name() }
                        continue
                    }
                } else {
                    _ = try value()
                }
                // After a value: close the levels that end here, or go on to the next value.
                while depth > 0 {
                    skipSpace()
                    // After a comma there must be another value, so an empty array or object cannot take this way.
                    if take(44) {
                        skipSpace()
                        if isObject(depth) { _ = try name() }
                        break
                    }
                    guard take(isObject(depth) ? 125 : 93) else {
                        throw Fault(reason: atEnd ? "a nested value does not end" : "brackets do not match")
                    }
                    depth -= 1
                }
            } while depth > 0
            return Value(kind: bytes[start] == 91 ? .array : .object, range: start..<index)
        }
    }
}
