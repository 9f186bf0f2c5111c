/// Numbers with and without units, as a job file writes them.
enum Quantity {
    /// Parses a whole number such as `1000`, in `range`.
    static func integer(_ text: String, in range: ClosedRange<Int>) throws(Complaint) -> Int {
        guard let digits = decimal(text) else {
            throw Complaint(
                "\(text.shown) is not a whole number",
                mend: "Write digits only, from \(range.lowerBound) to \(range.upperBound).")
        }
        guard let number = Int(digits), range.contains(number) else {
            throw Complaint("\(text.shown) is out of range: \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// Parses bytes such as `65536`, `64KiB`, `4MiB` (powers of 1024) or `4MB` (powers of 1000), in `range`.
    ///
    /// - Parameter rangeText: the range in words for the message, such as "4KiB to 256MiB".
    static func bytes(_ text: String, in range: ClosedRange<Int>, rangeText: String) throws(Complaint) -> Int {
        let units = [
            "": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
            "KB": 1000, "kB": 1000, "MB": 1_000_000, "GB": 1_000_000_000,
        ]
        let number = text.prefix(while: \.isASCIIDigit)
        guard !number.isEmpty, let unit = units[String(text.dropFirst(number.count))] else {
            throw Complaint(
                "\(text.shown) is not a number of bytes",
                mend: "Write a whole number and a unit without a space: 65536, 64KiB, 4MiB, 4MB.")
        }
        let product = Int(number)?.multipliedReportingOverflow(by: unit)
        guard let product, !product.overflow, range.contains(product.partialValue) else {
            throw Complaint("\(text.shown) is out of range: \(rangeText)")
        }
        return product.partialValue
    }

    /// Parses a length of time such as `500ms`, `1s`, `1.5s`, `2m`, `1h`, up to three decimals, in `range`.
    ///
    /// - Parameter rangeText: the range in words for the message, such as "1ms to 1h".
    static func duration(_ text: String, in range: ClosedRange<Duration>, rangeText: String) throws(Complaint)
        -> Duration
    {
        let microseconds: [Substring: Int64] = ["ms": 1000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000]
        let number = text.prefix { $0.isASCIIDigit || $0 == "." }
        let parts = number.split(separator: ".", omittingEmptySubsequences: false)
        let unitText = text.dropFirst(number.count)
        guard let whole = parts.first, parts.count <= 2, !parts.contains(""), parts.count == 1 || parts[1].count <= 3,
            !unitText.isEmpty, let unit = microseconds[unitText]
        else {
            throw Complaint(
                unitText.isEmpty && parts.count <= 2 && !parts.contains("")
                    ? "\(text.shown) has no unit of time" : "\(text.shown) is not a length of time",
                mend: unitText.isEmpty && decimal(text) != nil
                    ? "Write \(text)s for seconds, or one of 500ms, 1s, 2m, 1h."
                    : "Write a number and a unit without a space: 500ms, 1s, 1.5s, 2m, 1h.")
        }
        let thousandths = parts.count == 2 ? Int64((parts[1] + "00").prefix(3)) ?? 0 : 0
        let product = Int64(whole)?.multipliedReportingOverflow(by: unit)
        // A sum may overflow only when the product is near Int64.max, thousands of years out of any range.
        guard let product, !product.overflow, product.partialValue < Int64.max / 2,
            case let value = Duration.microseconds(product.partialValue + thousandths * unit / 1000),
            range.contains(value)
        else { throw Complaint("\(text.shown) is out of range: \(rangeText)") }
        return value
    }

    /// The text itself when it is all digits, with or without a minus.
    private static func decimal(_ text: String) -> String? {
        let digits = text.hasPrefix("-") ? text.dropFirst() : Substring(text)
        return !digits.isEmpty && digits.allSatisfy(\.isASCIIDigit) ? text : nil
    }
}

extension Character {
    var isASCIIDigit: Bool { ("0"..."9").contains(self) && isASCII }
    var isASCIIAlphanumeric: Bool { isASCII && (isLetter || isNumber) }
}
