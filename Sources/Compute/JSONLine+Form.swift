import Batches

extension JSONLine {
    /// How a column's values travel, by their type behind all domains.
    struct Form: Sendable, Equatable {
        /// What one value, or one element of an array, is.
        enum Scalar: Sendable {
            case smallint, integer, bigint, oid
            /// real and double precision.
            case float
            case numeric
            case boolean
            /// Text that is JSON already: json and jsonb.
            case json
            case uuid
            /// A type whose text form no number can be.
            case string
            /// Everything else: strings, but a number's digits may be its text.
            case text
        }

        var scalar: Scalar
        /// What stands between elements, for an array; nil for a single value.
        var delimiter: UInt8?
        /// bigint and numeric go out as strings.
        var quotesNumbers = false

        /// - Parameters:
        ///   - type: what the column's values are.
        ///   - quotesNumbers: whether numbers that may have more digits than a double go out as strings.
        static func of(_ type: ValueType, quotesNumbers: Bool = false) -> Form {
            let scalar = Scalar(type: type.element ?? type.base)
            return Form(
                scalar: scalar, delimiter: type.element == nil ? nil : type.delimiter,
                quotesNumbers: quotesNumbers && scalar.mayExceedDouble)
        }
    }
}

extension JSONLine.Form.Scalar {
    init(type: UInt32) {
        self =
            switch type {
            case 21: .smallint
            case 23: .integer
            case 20: .bigint
            case 26: .oid
            case 700, 701: .float
            case 1700: .numeric
            case 16: .boolean
            case 114, 3802: .json
            case 2950: .uuid
            default: Self.neverNumbers.contains(type) ? .string : .text
            }
    }

    /// bytea, dates and times, bits, network addresses, xml, geometric types, text search, ranges and multiranges, as
    /// far as they come with PostgreSQL: their OIDs are the same everywhere.
    private static let neverNumbers: Set<UInt32> = [
        17, 1082, 1083, 1114, 1184, 1186, 1266, 1560, 1562, 650, 869, 774, 829, 142, 600, 601, 602, 603, 604, 628, 718,
        3614, 3615, 3904, 3906, 3908, 3910, 3912, 3926, 4451, 4532, 4533, 4534, 4535, 4536,
    ]

    /// Whether its values are numbers that go out as numbers.
    var isNumber: Bool {
        switch self {
        case .smallint, .integer, .bigint, .oid, .float, .numeric: true
        default: false
        }
    }

    /// Whether a value may have more digits than a double holds.
    var mayExceedDouble: Bool { self == .bigint || self == .numeric }

    /// Whether a text is one that an answer may give for this type.
    ///
    /// - Parameters:
    ///   - text: the string's content, or the number or word as it was written.
    ///   - kind: what it was in the answer.
    func accepts(_ text: UnsafeRawBufferPointer, _ kind: JSONLine.Value.Kind) -> Bool {
        switch (self, kind) {
        case (_, .null), (.json, _): return true
        case (_, .array), (_, .object): return false
        case (.boolean, .boolean): return true
        case (.boolean, .string):
            return ["t", "f", "true", "false"].contains { text.elementsEqual($0.utf8) }
        case (.boolean, .number), (_, .boolean): return false
        case (.smallint, _): return Self.isInteger(text, Int64(Int16.min)...Int64(Int16.max))
        case (.integer, _): return Self.isInteger(text, Int64(Int32.min)...Int64(Int32.max))
        case (.bigint, _): return Self.isInteger(text, Int64.min...Int64.max)
        case (.oid, _): return Self.isInteger(text, 0...Int64(UInt32.max))
        case (.float, .number), (.numeric, .number): return true
        case (.float, .string), (.numeric, .string): return Self.isNumeric(text)
        case (.uuid, .string): return Self.isUUID(text)
        case (.uuid, .number), (.string, .number): return false
        case (.string, .string), (.text, .string), (.text, .number): return true
        }
    }

    /// What an answer may give for this type, in words.
    var wanted: String {
        switch self {
        case .smallint, .integer, .bigint, .oid: "a whole number within the type's limits, or a string of its digits"
        case .float, .numeric: "a number, or a string of its digits, \"NaN\" or \"Infinity\""
        case .boolean: "true or false, or a string \"t\" or \"f\""
        case .json: "any JSON value"
        case .uuid: "a string of 32 hexadecimal digits"
        case .string: "a string in PostgreSQL's text form"
        case .text: "a string, or a number"
        }
    }

    static func isInteger(_ text: UnsafeRawBufferPointer, _ limits: ClosedRange<Int64>) -> Bool {
        let negative = text.first == 45
        guard text.count > (negative ? 1 : 0) else { return false }
        // Below zero, since there is one more number there than above.
        var value: Int64 = 0
        for index in (negative ? 1 : 0)..<text.count {
            let digit = text[index] &- 48
            guard digit < 10 else { return false }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (difference, borrow) = product.subtractingReportingOverflow(Int64(digit))
            guard !overflow, !borrow else { return false }
            value = difference
        }
        guard !negative else { return value >= limits.lowerBound }
        return value != Int64.min && -value <= limits.upperBound
    }

    /// Digits as PostgreSQL reads them, `NaN`, or an infinity.
    private static func isNumeric(_ text: UnsafeRawBufferPointer) -> Bool {
        if ExactDecimal.isDecimal(text) { return true }
        // Longer ones are none of these words.
        guard text.count <= 9 else { return false }
        let word = String(decoding: text, as: UTF8.self).lowercased()
        return word == "nan"
            || ["inf", "infinity"].contains(word.first == "-" || word.first == "+" ? String(word.dropFirst()) : word)
    }

    /// In the forms that PostgreSQL takes: in either case, in braces or not, with hyphens behind groups of four.
    private static func isUUID(_ text: UnsafeRawBufferPointer) -> Bool {
        let braces = text.first == 123
        guard text.count >= 32, text.count <= 41, braces == (text.last == 125) else { return false }
        var digits = 0
        var afterHyphen = true
        for index in (braces ? 1 : 0)..<(text.count - (braces ? 1 : 0)) {
            switch text[index] {
            case 48...57, 97...102, 65...70:
                digits += 1
                afterHyphen = false
            case 45 where !afterHyphen && digits % 4 == 0 && digits < 32: afterHyphen = true
            default: return false
            }
        }
        return digits == 32
    }
}
