import Glibc

/// A decimal number with all its digits, to compare numbers as PostgreSQL does and not as doubles.
struct ExactDecimal: Equatable {
    /// The largest decimal exponent that is read. PostgreSQL's numeric has 131,072 digits before its point.
    static let exponentLimit = 1_000_000

    private(set) var negative = false
    /// Digits from 0 to 9, without zeros at either end; empty for zero.
    private(set) var digits: [UInt8] = []
    /// The value is 0.d₁d₂d₃… × 10^exponent.
    private(set) var exponent = 0

    /// - Returns: nil when the text is not a number as PostgreSQL's numeric reads it, or NaN or an infinity.
    init?(_ text: UnsafeRawBufferPointer) {
        guard let parts = Self.parts(of: text), parts.exponent.magnitude <= Self.exponentLimit else { return nil }
        for byte in text[parts.digits] where byte != 46 { digits.append(byte - 48) }
        exponent = parts.exponent + parts.whole
        let zeros = digits.prefix { $0 == 0 }.count
        digits.removeFirst(zeros)
        exponent -= zeros
        while digits.last == 0 { digits.removeLast() }
        negative = text.first == 45 && !digits.isEmpty
        if digits.isEmpty { exponent = 0 }
    }

    init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard let value = bytes.withUnsafeBytes({ Self($0) }) else { return nil }
        self = value
    }

    /// The double's first `count` digits, correctly rounded. 770 digits are always exact.
    init?(_ double: Double, digits count: Int) {
        guard double.isFinite else { return nil }
        let count = min(max(count, 1), 770)
        var text = [CChar](repeating: 0, count: count + 32)
        let length = withVaList([Int32(count - 1), double]) { vsnprintf(&text, text.count, "%.*e", $0) }
        guard length > 0, Int(length) < text.count else { return nil }
        guard let value = text.withUnsafeBytes({ Self(UnsafeRawBufferPointer(rebasing: $0[..<Int(length)])) }) else {
            return nil
        }
        self = value
    }

    var isInteger: Bool { exponent >= digits.count }

    /// Whether the text is a number, without NaN and the infinities.
    static func isDecimal(_ text: UnsafeRawBufferPointer) -> Bool { parts(of: text) != nil }

    /// The double nearest to a number's text. Larger numbers give the greatest double, since a JSON answer can hold no
    /// larger one.
    static func double(_ text: UnsafeRawBufferPointer) -> Double {
        withUnsafeTemporaryAllocation(byteCount: text.count + 1, alignment: 1) { copy in
            copy.copyMemory(from: text)
            copy[text.count] = 0
            guard let base = copy.baseAddress else { return .nan }
            let greatest = Double.greatestFiniteMagnitude
            return min(max(strtod(base.assumingMemoryBound(to: CChar.self), nil), -greatest), greatest)
        }
    }

    /// The range of the digits with their point, the number of digits before the point, and the exponent after the `e`.
    private static func parts(of text: UnsafeRawBufferPointer) -> (digits: Range<Int>, whole: Int, exponent: Int)? {
        var index = text.first == 45 || text.first == 43 ? 1 : 0
        func skipDigits() -> Int {
            let start = index
            while index < text.count, text[index] >= 48, text[index] <= 57 { index += 1 }
            return index - start
        }
        let start = index
        let whole = skipDigits()
        var any = whole > 0
        if index < text.count, text[index] == 46 {
            index += 1
            if skipDigits() > 0 { any = true }
        }
        guard any else { return nil }
        let digits = start..<index
        guard index < text.count else { return (digits, whole, 0) }
        guard text[index] == 101 || text[index] == 69 else { return nil }
        index += 1
        let negative = index < text.count && text[index] == 45
        if index < text.count, text[index] == 45 || text[index] == 43 { index += 1 }
        let from = index
        guard skipDigits() > 0, index == text.count else { return nil }
        var exponent = 0
        for byte in text[from..<index] { exponent = min(exponent * 10 + Int(byte - 48), exponentLimit + 1) }
        return (digits, whole, negative ? -exponent : exponent)
    }
}
