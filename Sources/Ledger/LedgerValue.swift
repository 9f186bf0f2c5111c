import Sharding

/// The type of a ledger column's values.
protocol LedgerValue {
    /// The expected value in words, for people.
    static var kind: String { get }

    /// - Parameter text: PostgreSQL's text form of the value.
    /// - Returns: nil for a text that is no such value.
    init?(ledgerText text: String)
}

extension String: LedgerValue {
    static var kind: String { "a text" }
    init?(ledgerText text: String) { self = text }
}

extension Bool: LedgerValue {
    static var kind: String { "true or false" }
    init?(ledgerText text: String) {
        switch text {
        case "t": self = true
        case "f": self = false
        default: return nil
        }
    }
}

extension FixedWidthInteger {
    static var kind: String { "a whole number of \(bitWidth) bits" }
    init?(ledgerText text: String) { self.init(text, radix: 10) }
}

extension Int: LedgerValue {}
extension Int32: LedgerValue {}
extension Int64: LedgerValue {}
extension UInt32: LedgerValue {}

extension Double: LedgerValue {
    static var kind: String { "a finite number" }
    init?(ledgerText text: String) {
        guard let number = Double(text), number.isFinite else { return nil }
        self = number
    }
}

extension RunID: LedgerValue {
    static var kind: String { "the number of a run" }
    init?(ledgerText text: String) {
        guard let number = Int64(text) else { return nil }
        self.init(number)
    }
}

extension ShardID: LedgerValue {
    static var kind: String { "the number of a shard" }
    init?(ledgerText text: String) {
        guard let number = Int32(text) else { return nil }
        self.init(number)
    }
}

extension Epoch: LedgerValue {
    static var kind: String { "an epoch" }
    init?(ledgerText text: String) {
        guard let number = Int64(text) else { return nil }
        self.init(number)
    }
}

extension WorkerID: LedgerValue {
    static var kind: String { "a UUID" }
    init?(ledgerText text: String) {
        let hyphens = [8, 13, 18, 23]
        let isUUID =
            text.utf8.count == 36
            && text.utf8.enumerated().allSatisfy { place, byte in
                hyphens.contains(place) ? byte == 0x2D : 0x30...0x39 ~= byte || 0x61...0x66 ~= byte
            }
        guard isUUID else { return nil }
        self.init(text)
    }
}

extension Key: LedgerValue {
    static var kind: String { "a key" }
    init?(ledgerText text: String) {
        // A null part makes the key unreadable: without the part it would be another key.
        guard let parts = [String](ledgerText: text), !parts.isEmpty else { return nil }
        self.init(parts)
    }
}

extension RawRepresentable where RawValue == String, Self: CaseIterable {
    static var kind: String { "one of " + allCases.map(\.rawValue).joined(separator: ", ") }
    init?(ledgerText text: String) { self.init(rawValue: text) }
}

extension ShardState: LedgerValue {}
extension RunState: LedgerValue {}

extension Array: LedgerValue where Element: LedgerValue {
    static var kind: String { "a list, each of \(Element.kind)" }
    init?(ledgerText text: String) {
        guard let texts = PostgresArray.parse(text) else { return nil }
        self = []
        reserveCapacity(texts.count)
        for text in texts {
            guard let text, let element = Element(ledgerText: text) else { return nil }
            append(element)
        }
    }
}
