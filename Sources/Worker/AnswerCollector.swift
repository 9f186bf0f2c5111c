import CoordKit
import Glibc

/// Puts a program's answers, which come in any order, in the order of the batch.
struct AnswerCollector {
    private let batch: RowBatch
    private let writes: [[UInt8]]
    private let forms: [JSONLine.Form]
    private let key: [UInt8]
    private var values: RowBatch
    /// For each row of the batch, the index of its answer in `values`; -1 as long as there is none.
    private var answered: [Int]
    private(set) var missing: Int
    /// The row that is answered next by a program that keeps the order.
    private var expected = 0
    /// Rows by key, made when the first answer comes out of order.
    private var index: [[UInt8]: Int]?
    /// The written columns' values in the line at hand, kept so that a line allocates nothing.
    private var found: [JSONLine.Value?]

    init(batch: RowBatch, writes: [[UInt8]], forms: [JSONLine.Form], key: String) {
        self.forms = forms
        self.batch = batch
        self.writes = writes
        self.key = Array(key.utf8)
        values = RowBatch(columns: writes.count)
        found = Array(repeating: nil, count: writes.count)
        answered = Array(repeating: -1, count: batch.rows)
        missing = batch.rows
    }

    /// Takes one line, a JSON object with the key and every column to write.
    mutating func add(_ line: UnsafeRawBufferPointer) throws(JSONLine.Fault) {
        var keyValue: JSONLine.Value?
        for column in found.indices { found[column] = nil }
        var members = JSONLine.Members(line)
        while let (name, value) = try members.next() {
            let bytes = UnsafeRawBufferPointer(rebasing: line[name.range])
            // Other members are the program's own affair: it may send the row back whole.
            switch try name.escaped ? escapedPlace(of: bytes) : place(of: bytes) {
            case .key: keyValue = value
            case .column(let column): found[column] = value
            case nil: break
            }
        }
        guard let keyValue else {
            throw JSONLine.Fault(reason: "the key \(String(decoding: key, as: UTF8.self)) is missing")
        }
        let row = try row(of: keyValue, in: line)
        guard answered[row] < 0 else { throw JSONLine.Fault(reason: "a key was answered twice") }
        answered[row] = values.rows
        for column in found.indices {
            guard let value = found[column] else {
                let name = String(decoding: writes[column], as: UTF8.self)
                throw JSONLine.Fault(reason: "column \(name) is missing")
            }
            try append(value, of: line, as: forms[column])
        }
        missing -= 1
        expected = row + 1
    }

    /// The values in the batch's order, when none is missing.
    consuming func finish() -> RowBatch {
        if answered.indices.allSatisfy({ answered[$0] == $0 }) { return values }
        var sorted = RowBatch(columns: writes.count)
        for source in answered {
            for column in writes.indices {
                values.withBytes(row: source, column: column) { sorted.append($0) }
            }
        }
        return sorted
    }

    private enum Place {
        case key
        case column(Int)
    }

    /// What the member of that name is.
    private func place(of name: UnsafeRawBufferPointer) -> Place? {
        if key.withUnsafeBytes({ Self.same(name, $0) }) { return .key }
        for column in writes.indices where writes[column].withUnsafeBytes({ Self.same(name, $0) }) {
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

    private mutating func row(of value: JSONLine.Value, in line: UnsafeRawBufferPointer) throws(JSONLine.Fault) -> Int {
        let raw = UnsafeRawBufferPointer(rebasing: line[value.range])
        if !value.escaped, expected < batch.rows,
            batch.withBytes(row: expected, column: 0, { $0.map { Self.same($0, raw) } ?? false })
        {
            return expected
        }
        var text: [UInt8] = []
        if value.escaped { try JSONLine.unescape(raw, to: &text) } else { text.append(contentsOf: raw) }
        if index == nil {
            // By bytes: Swift's strings are equal where Unicode calls them equivalent.
            var made: [[UInt8]: Int] = [:]
            for row in 0..<batch.rows {
                made[batch.withBytes(row: row, column: 0) { Array($0 ?? .init(start: nil, count: 0)) }] = row
            }
            index = made
        }
        guard let row = index?[text] else {
            throw JSONLine.Fault(reason: "its key is none that the program was given")
        }
        return row
    }

    private mutating func append(
        _ value: JSONLine.Value, of line: UnsafeRawBufferPointer, as form: JSONLine.Form
    ) throws(JSONLine.Fault) {
        let raw = UnsafeRawBufferPointer(rebasing: line[value.range])
        switch value.kind {
        case .null: values.append(nil as UnsafeRawBufferPointer?)
        case .bare, .nested: values.append(raw)
        case .string where form == .json:
            // With its quotes, it is JSON already.
            let quoted = value.range.lowerBound - 1..<value.range.upperBound + 1
            values.append(UnsafeRawBufferPointer(rebasing: line[quoted]))
        case .string where !value.escaped: values.append(raw)
        case .string:
            var text: [UInt8] = []
            try JSONLine.unescape(raw, to: &text)
            text.withUnsafeBytes { values.append($0) }
        }
    }
}
