import Batches

extension JSONLine {
    /// The JSON form of a column's values, which depends on their type behind all domains.
    struct Form: Sendable, Equatable {
        /// The form of one value or of one array element.
        enum Scalar: Sendable {
            case smallint, integer, bigint, oid
            /// real and double precision.
            case float
            case numeric
            case boolean
            /// Text that is JSON already: json and jsonb.
            case json
            case uuid
            /// A type whose text form is never a number.
            case string
            /// All other types: strings, but an answer may also give a number.
            case text
        }

        var scalar: Scalar
        /// The delimiter between the elements of an array; nil for a single value.
        var delimiter: UInt8?
        /// Whether bigint and numeric values are sent as strings.
        var quotesNumbers = false

        /// - Parameters:
        ///   - type: the type of the column's values.
        ///   - quotesNumbers: whether bigint and numeric values are sent as strings.
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

    /// PostgreSQL's own types for bytea, dates and times, bits, network addresses, xml, geometry, text search, ranges
    /// and multiranges. Their OIDs are the same everywhere.
    private static let neverNumbers: Set<UInt32> = [
        17, 1082, 1083, 1114, 1184, 1186, 1266, 1560, 1562, 650, 869, 774, 829, 142, 600, 601, 602, 603, 604, 628, 718,
        3614, 3615, 3904, 3906, 3908, 3910, 3912, 3926, 4451, 4532, 4533, 4534, 4535, 4536,
    ]

    /// Whether the values are sent as JSON numbers.
    var isNumber: Bool {
        switch self {
        case .smallint, .integer, .bigint, .oid, .float, .numeric: true
        default: false
        }
    }

    /// Whether a value may have more digits than a double holds.
    var mayExceedDouble: Bool { self == .bigint || self == .numeric }

    /// Whether an answer may give this text for the type.
    ///
    /// - Parameters:
    ///   - text: the string's content, or the literal number or word.
    ///   - kind: the kind of the JSON value.
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

    /// The accepted answers for this type, in words.
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
        // Counts below zero, since the negative range is larger by one.
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
        // A longer text is none of these words.
        guard text.count <= 9 else { return false }
        let word = String(decoding: text, as: UTF8.self).lowercased()
        return word == "nan"
            || ["inf", "infinity"].contains(word.first == "-" || word.first == "+" ? String(word.dropFirst()) : word)
    }

    /// The forms that PostgreSQL accepts: upper or lower case, optional braces, optional hyphens after any four digits.
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
