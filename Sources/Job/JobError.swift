/// Why a job file was refused: every fault that one reading can find, up to ten.
///
/// Nothing has been sent to a database when this is thrown. No connection string is ever part of it.
public struct JobError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The most places that one error names.
    static let maximumItems = 10

    /// One fault and its place.
    public struct Item: Error, Sendable, Equatable {
        /// The line, from 1, or `nil` when the whole file is meant.
        public var line: Int?
        /// The column, from 1, counted in Unicode scalars.
        public var column: Int?
        /// The key's path, such as `batch.rows`.
        public var key: String?
        /// The fault.
        public var message: String
        /// How to mend the fault, if that is known.
        public var mend: String?

        /// Makes an item; `line` and `column` count from 1, `key` is a path such as `batch.rows`.
        public init(
            line: Int? = nil, column: Int? = nil, key: String? = nil, message: String, mend: String? = nil
        ) {
            self.line = line
            self.column = column
            self.key = key
            self.message = message
            self.mend = mend
        }
    }

    /// The job file, as the user named it.
    public let file: String
    /// The faults in the file's order: 1 to ``maximumItems``.
    public let errors: [Item]

    /// Makes an error about `file` of one or more items: sorts them by place and keeps the first ``maximumItems``.
    public init(file: String, first: Item, others: [Item] = []) {
        self.file = file
        let sorted = ([first] + others).enumerated().sorted { a, b in
            (a.element.line ?? 0, a.element.column ?? 0, a.offset) < (
                b.element.line ?? 0, b.element.column ?? 0, b.offset
            )
        }
        self.errors = sorted.prefix(Self.maximumItems).map(\.element)
    }

    /// The first item's line, from 1.
    public var line: Int? { errors[0].line }
    /// The first item's column, from 1.
    public var column: Int? { errors[0].column }
    /// The first item's key.
    public var key: String? { errors[0].key }
    /// The first item's message.
    public var message: String { errors[0].message }
    /// How to mend the first item.
    public var mend: String? { errors[0].mend }

    /// Each item as `file:line:column: message`, and its mend on an indented line below.
    public var description: String {
        errors.map { item in
            let place = [item.line, item.line == nil ? nil : item.column].compactMap { $0.map { ":\($0)" } }.joined()
            return "\(file)\(place): \(item.message)" + (item.mend.map { "\n    \($0)" } ?? "")
        }.joined(separator: "\n")
    }
}

extension String {
    /// A text from a file, made fit for a message: one line, no control characters, at most 63 characters.
    var shown: String {
        let clean = prefix(63).unicodeScalars.map { scalar -> String in
            let isControl = scalar.value < 0x20 || scalar.value == 0x7F || (0x80..<0xA0).contains(scalar.value)
            return isControl ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
        }
        return "'" + clean.joined() + (count > 63 ? "..." : "") + "'"
    }
}
