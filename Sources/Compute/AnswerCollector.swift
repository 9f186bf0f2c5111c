import Batches
import CoordKit
import Glibc
import Sharding

/// Collects a program's answers, which come in any order, and puts them in the order of the batch.
struct AnswerCollector {
    private let batch: RowBatch
    private let columns: [AnswerColumn]
    /// The names of the written columns and of the key, without escapes.
    private let names: [[UInt8]]
    private let keyNames: [[UInt8]]
    private let key: KeySchema
    private let lostDigits: LostDigits
    private var values: RowBatch
    /// For each row of the batch, the index of its answer in `values`; -1 while the answer is missing.
    private var answered: [Int]
    private(set) var missing: Int
    /// The row that a program which keeps the order answers next.
    private var expected = 0
    /// The rows by their keys' values, made at the first answer out of order.
    private var index: [[[UInt8]]: Int]?
    /// The written columns' values in the current line. Kept, so that a line needs no allocation.
    private var found: [JSONLine.Value?]
    /// The key's values in the current line, kept likewise.
    private var foundKey: [JSONLine.Value?]
    /// A string without its escapes, kept likewise.
    private var plain: [UInt8] = []

    init(batch: RowBatch, columns: [AnswerColumn], key: KeySchema, lostDigits: LostDigits) {
        self.batch = batch
        self.columns = columns
        self.lostDigits = lostDigits
        names = columns.map { Array($0.name.utf8) }
        self.key = key
        keyNames = key.columns.map { Array($0.name.utf8) }
        values = RowBatch(columns: columns.count)
        found = Array(repeating: nil, count: columns.count)
        foundKey = Array(repeating: nil, count: key.count)
        answered = Array(repeating: -1, count: batch.rows)
        missing = batch.rows
    }

    /// The key of the first row without an answer.
    var firstMissing: Key? { answered.firstIndex(of: -1).map { key.key(of: $0, in: batch) } }

    /// Takes one line: a JSON object with the key and every written column.
    mutating func add(_ line: UnsafeRawBufferPointer) throws(AnswerFault) {
        do throws(JSONLine.Fault) { try scan(line) } catch { throw AnswerFault(reason: error.reason) }
        if let missing = foundKey.firstIndex(where: { $0 == nil }) {
            throw AnswerFault(reason: "the key \(text(keyNames[missing])) is missing")
        }
        let row = try row(in: line)
        guard answered[row] < 0 else {
            throw AnswerFault(reason: "a key was answered twice\(keyMend(row))", key: key.key(of: row, in: batch))
        }
        answered[row] = values.rows
        let sent = lostDigits.sent(row, of: batch)
        for column in found.indices {
            do throws(JSONLine.Fault) {
                guard let value = found[column] else {
                    throw JSONLine.Fault(reason: "column \(columns[column].name) is missing")
                }
                try append(value, of: line, column: column, row: row, sent: sent)
            } catch {
                throw AnswerFault(reason: error.reason, key: key.key(of: row, in: batch), column: columns[column].name)
            }
        }
        missing -= 1
        expected = row + 1
    }

    /// The values in the batch's order. Call it only when no answer is missing.
    consuming func finish() -> RowBatch {
        if answered.indices.allSatisfy({ answered[$0] == $0 }) { return values }
        var sorted = RowBatch(columns: columns.count)
        for source in answered {
            for column in columns.indices {
                values.withBytes(row: source, column: column) { sorted.append($0) }
            }
        }
        return sorted
    }

    // MARK: - A line

    /// Reads the line to its end and notes the places of the values.
    private mutating func scan(_ line: UnsafeRawBufferPointer) throws(JSONLine.Fault) {
        for column in found.indices { found[column] = nil }
        for column in foundKey.indices { foundKey[column] = nil }
        var members = JSONLine.Members(line)
        while let (name, value) = try members.next() {
            let bytes = UnsafeRawBufferPointer(rebasing: line[name.range])
            // Other members are ignored: a program may send the whole row back.
            switch try name.escaped ? escapedPlace(of: bytes) : place(of: bytes) {
            case .key(let column): foundKey[column] = value
            case .column(let column): found[column] = value
            case nil: break
            }
        }
    }

    private enum Place {
        case key(Int)
        case column(Int)
    }

    /// The place of the member of that name: a key column or a written column; nil for other members.
    private func place(of name: UnsafeRawBufferPointer) -> Place? {
        for column in keyNames.indices where keyNames[column].withUnsafeBytes({ Self.same(name, $0) }) {
            return .key(column)
        }
        for column in names.indices where names[column].withUnsafeBytes({ Self.same(name, $0) }) {
            return .column(column)
        }
        return nil
    }

    private func escapedPlace(of name: UnsafeRawBufferPointer) throws(JSONLine.Fault) -> Place? {
        var plain: [UInt8] = []
        try JSONLine.unescape(name, to: &plain)
        return plain.withUnsafeBytes { place(of: $0) }
    }

    private static func same(_ one: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer) -> Bool {
        guard one.count == other.count else { return false }
        guard let first = one.baseAddress, let second = other.baseAddress else { return one.isEmpty }
        return memcmp(first, second, one.count) == 0
    }

    // MARK: - Its row

    /// The row with the line's key.
    private mutating func row(in line: UnsafeRawBufferPointer) throws(AnswerFault) -> Int {
        if expected < batch.rows, isKey(of: expected, in: line) { return expected }
        var plain: [[UInt8]] = []
        for (column, value) in foundKey.enumerated() {
            if let value { plain.append(try keyText(value, column, in: line)) }
        }
        if index == nil {
            // By bytes: Swift's strings are equal when they are canonically equivalent.
            var made: [[[UInt8]]: Int] = [:]
            for row in 0..<batch.rows {
                made[key.batchColumns.map { bytes(row, $0) }] = row
            }
            index = made
        }
        if let row = index?[plain] { return row }
        if let key = lostDigits.key(lostIn: plain, of: batch) {
            let answered = Key(plain.map { text($0) })
            throw AnswerFault(
                reason: "its key \(answered) is the double nearest to the key \(key)\(Self.digitsMend)", key: key)
        }
        throw AnswerFault(reason: "its key is none that the program was given")
    }

    /// Whether the line holds that row's key exactly as it was sent.
    private func isKey(of row: Int, in line: UnsafeRawBufferPointer) -> Bool {
        for (column, value) in foundKey.enumerated() {
            guard let value, !value.escaped, value.kind == .string || value.kind == .number else { return false }
            let raw = UnsafeRawBufferPointer(rebasing: line[value.range])
            guard batch.withBytes(row: row, column: column, { $0.map { Self.same($0, raw) } ?? false }) else {
                return false
            }
        }
        return true
    }

    private func keyText(
        _ value: JSONLine.Value, _ column: Int, in line: UnsafeRawBufferPointer
    ) throws(AnswerFault) -> [UInt8] {
        let name = text(keyNames[column])
        guard value.kind == .string || value.kind == .number else {
            throw AnswerFault(reason: "its key \(name) is \(value.kind.name), neither a number nor a string")
        }
        let raw = UnsafeRawBufferPointer(rebasing: line[value.range])
        guard value.escaped else { return Array(raw) }
        var plain: [UInt8] = []
        do throws(JSONLine.Fault) { try JSONLine.unescape(raw, to: &plain) } catch {
            throw AnswerFault(reason: "its key \(name): \(error.reason)")
        }
        return plain
    }

    private func bytes(_ row: Int, _ column: Int) -> [UInt8] {
        batch.withBytes(row: row, column: column) { Array($0 ?? .init(start: nil, count: 0)) }
    }

    /// A mend for keys that became equal as doubles.
    private func keyMend(_ row: Int) -> String {
        guard lostDigits.key(lostIn: key.batchColumns.map { bytes(row, $0) }, of: batch) != nil else { return "" }
        return "; it has more digits than a double holds\(Self.digitsMend)"
    }

    // MARK: - Its values

    private static let digitsMend =
        ": the program reads numbers as doubles, which loses digits. Parse them as Decimal or BigInt, or send strings by "
        + "'numbers: strings' under 'compute' in the job"
    /// The job's `numbers` does not change the numbers inside a json value.
    private static let digitsMendOfJSON =
        ": the program reads numbers as doubles, which loses digits. Parse them as Decimal or BigInt"

    private mutating func append(
        _ value: JSONLine.Value, of line: UnsafeRawBufferPointer, column: Int, row: Int, sent: [LostDigits.Sent]
    ) throws(JSONLine.Fault) {
        guard value.kind != .null else { return values.append(nil as UnsafeRawBufferPointer?) }
        let form = columns[column].form
        let raw = UnsafeRawBufferPointer(rebasing: line[value.range])
        // For a json column, a string with its quotes is JSON already.
        if value.kind == .string, value.escaped, form.scalar != .json || form.delimiter != nil {
            plain.removeAll(keepingCapacity: true)
            try JSONLine.unescape(raw, to: &plain)
            let text = plain
            try text.withUnsafeBufferPointer { (buffer) throws(JSONLine.Fault) in
                try check(UnsafeRawBufferPointer(buffer), value, column, row, sent)
                values.append(UnsafeRawBufferPointer(buffer))
            }
            return
        }
        try check(raw, value, column, row, sent)
        if value.kind == .array, let delimiter = form.delimiter {
            do throws(JSONLine.Fault) {
                try values.append(writing: { (output) throws(JSONLine.Fault) in
                    try JSONLine.appendLiteral(of: raw, form: form, delimiter: delimiter, to: &output)
                })
            } catch {
                throw JSONLine.Fault(reason: "\(title(column)): \(error.reason)")
            }
        } else if value.kind == .string, form.scalar == .json, form.delimiter == nil {
            let quoted = value.range.lowerBound - 1..<value.range.upperBound + 1
            values.append(UnsafeRawBufferPointer(rebasing: line[quoted]))
        } else {
            values.append(raw)
        }
    }

    /// Checks that the column's type has the value, and that no number has lost digits.
    private func check(
        _ text: UnsafeRawBufferPointer, _ value: JSONLine.Value, _ column: Int, _ row: Int, _ sent: [LostDigits.Sent]
    ) throws(JSONLine.Fault) {
        let form = columns[column].form
        if !sent.isEmpty, value.kind != .string || form.scalar != .json,
            let (answered, number) = lostDigits.loss(in: text, for: form, of: sent, row: row, of: batch)
        {
            throw JSONLine.Fault(
                reason: "\(title(column)): \(answered) is the double nearest to \(self.text(number.text)), which "
                    + "\(number.column) was sent with\(number.isInJSON ? Self.digitsMendOfJSON : Self.digitsMend)")
        }
        if form.delimiter != nil {
            guard value.kind == .array || value.kind == .string else {
                throw JSONLine.Fault(
                    reason: "\(title(column)): the answer is \(value.kind.name), not an array or a string in "
                        + "PostgreSQL's text form")
            }
            return
        }
        guard form.scalar.accepts(text, value.kind) else {
            let shown = value.kind == .string ? "another string" : value.kind.name
            throw JSONLine.Fault(reason: "\(title(column)): the answer is \(shown), not \(form.scalar.wanted)")
        }
    }

    private func title(_ column: Int) -> String {
        "column \(columns[column].name) of type \(columns[column].typeName)"
    }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}

extension JSONLine.Value.Kind {
    /// The name for a message.
    var name: String {
        switch self {
        case .string: "a string"
        case .null: "null"
        case .number: "a number"
        case .boolean: "true or false"
        case .array: "an array"
        case .object: "an object"
        }
    }
}
