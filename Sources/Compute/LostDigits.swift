import Batches
import CoordKit
import Glibc
import Sharding

/// Finds answers with lost digits. A program whose JSON reader has only doubles silently rounds long numbers, and may
/// answer with the rounded number.
///
/// Such an answer differs from the sent number, is the same double, and is written as programs write doubles (shortest,
/// or correctly rounded to some digits). A row without a number of more than 15 digits costs only a look at its
/// lengths.
struct LostDigits {
    /// Digits that every double holds.
    static let safeDigits = 15

    /// A column whose numbers are sent as JSON numbers.
    struct Source {
        /// The column's index in the batch.
        var column: Int
        var name: String
        var form: JSONLine.Form
    }

    /// A sent number that may have more digits than a double.
    struct Sent {
        var text: [UInt8]
        var double: Double
        var column: String
        /// Whether the number is part of a json value.
        var isInJSON: Bool
    }

    private let key: KeySchema
    private let sources: [Source]

    init(key: KeySchema, sources: [Source]) {
        self.key = key
        self.sources = sources.filter {
            ($0.form.scalar.mayExceedDouble && !$0.form.quotesNumbers) || $0.form.scalar == .json
        }
    }

    /// Whether an answer for a column of that form can lose digits. Floating-point columns and small integers cannot.
    static func concerns(_ form: JSONLine.Form) -> Bool {
        switch form.scalar {
        case .bigint, .numeric, .json, .text: true
        case .smallint, .integer, .oid, .float, .boolean, .uuid, .string: false
        }
    }

    /// The row's numbers that may have more digits than a double.
    func sent(_ row: Int, of batch: RowBatch) -> [Sent] {
        var found: [Sent] = []
        for source in sources {
            batch.withBytes(row: row, column: source.column) { bytes in
                guard let bytes, bytes.count > Self.safeDigits else { return }
                Self.forEachNumber(in: bytes, of: source.form) { number in
                    guard number.count > Self.safeDigits else { return }
                    found.append(
                        Sent(
                            text: Array(number), double: ExactDecimal.double(number), column: source.name,
                            isInJSON: source.form.scalar == .json))
                }
            }
        }
        return found
    }

    /// The sent number that lost digits, and the answer's number that shows it.
    ///
    /// - Parameters:
    ///   - answer: the value's text: a string's content, or the literal number, array or object.
    ///   - form: the form of the answer's column.
    ///   - sent: the row's numbers that may have more digits than a double; not empty.
    func loss(
        in answer: UnsafeRawBufferPointer, for form: JSONLine.Form, of sent: [Sent], row: Int, of batch: RowBatch
    ) -> (answered: String, sent: Sent)? {
        guard Self.concerns(form) else { return nil }
        var result: (String, Sent)?
        Self.forEachNumber(in: answer, of: form) { number in
            guard result == nil else { return }
            let double = ExactDecimal.double(number)
            for value in sent where value.double == double && !number.elementsEqual(value.text) {
                guard Self.isLoss(number, of: value, for: form), !wasSent(number, row, batch) else { continue }
                result = (String(decoding: number, as: UTF8.self), value)
                return
            }
        }
        return result
    }

    /// The key of the batch that became the answer's unknown key by lost digits; nil when there is none.
    ///
    /// - Parameter answer: the answer's key, one value for each column.
    func key(lostIn answer: [[UInt8]], of batch: RowBatch) -> Key? {
        let numbers = key.batchColumns.filter { column in sources.contains { $0.column == column } }
        guard !numbers.isEmpty else { return nil }
        let doubles = answer.map { value in
            value.withUnsafeBytes { ExactDecimal.isDecimal($0) ? ExactDecimal.double($0) : nil }
        }
        for row in 0..<batch.rows {
            var lost = false
            let matches = key.batchColumns.allSatisfy { column in
                batch.withBytes(row: row, column: column) { bytes in
                    guard let bytes else { return false }
                    if numbers.contains(column), bytes.count > Self.safeDigits, ExactDecimal.isDecimal(bytes),
                        ExactDecimal.double(bytes) == doubles[column]
                    {
                        lost = true
                        return true
                    }
                    return bytes.elementsEqual(answer[column])
                }
            }
            if matches, lost { return key.key(of: row, in: batch) }
        }
        return nil
    }

    private static func isLoss(_ number: UnsafeRawBufferPointer, of sent: Sent, for form: JSONLine.Form) -> Bool {
        guard let answer = ExactDecimal(number), let value = sent.text.withUnsafeBytes({ ExactDecimal($0) }),
            answer != value
        else { return false }
        // A fraction that became a whole number was rounded on purpose.
        if form.scalar == .bigint, !value.isInteger { return false }
        // A double holds the sent number exactly, so the answer differs for another reason.
        if ExactDecimal(sent.double, digits: 770) == value { return false }
        return ExactDecimal("\(sent.double)") == answer
            || ExactDecimal(sent.double, digits: answer.digits.count) == answer
    }

    /// Whether the row also holds exactly that number as a value.
    private func wasSent(_ number: UnsafeRawBufferPointer, _ row: Int, _ batch: RowBatch) -> Bool {
        let answer = ExactDecimal(number)
        var found = false
        for source in sources {
            batch.withBytes(row: row, column: source.column) { bytes in
                guard let bytes else { return }
                Self.forEachNumber(in: bytes, of: source.form) { if ExactDecimal($0) == answer { found = true } }
            }
        }
        return found
    }

    /// Calls `body` with the numbers of a value: the whole value, or the numbers in an array or in JSON. A string in an
    /// array counts if it is entirely a number; a string in JSON does not count.
    private static func forEachNumber(
        in text: UnsafeRawBufferPointer, of form: JSONLine.Form, _ body: (UnsafeRawBufferPointer) -> Void
    ) {
        guard form.delimiter != nil || form.scalar == .json else {
            if ExactDecimal.isDecimal(text) { body(text) }
            return
        }
        var index = 0
        while index < text.count {
            let start = index
            let byte = text[index]
            index += 1
            if byte == 34 {
                while index < text.count, text[index] != 34 { index += text[index] == 92 ? 2 : 1 }
                let content = UnsafeRawBufferPointer(rebasing: text[start + 1..<min(index, text.count)])
                index += 1
                if form.scalar != .json, ExactDecimal.isDecimal(content) { body(content) }
            } else if byte == 45 || (byte >= 48 && byte <= 57) {
                while index < text.count, isInNumber(text[index]) { index += 1 }
                let number = UnsafeRawBufferPointer(rebasing: text[start..<index])
                if ExactDecimal.isDecimal(number) { body(number) }
            }
        }
    }

    private static func isInNumber(_ byte: UInt8) -> Bool {
        (byte >= 48 && byte <= 57) || byte == 46 || byte == 101 || byte == 69 || byte == 43 || byte == 45
    }
}
