/// Arrays: PostgreSQL's text form on one side, JSON arrays on the other.
extension JSONLine {
    /// Dimensions that an array of PostgreSQL may have (MAXDIM of its array.h).
    static let dimensions = 6

    /// Appends an array as a JSON array. Two kinds of arrays go as strings in text form, since a JSON array cannot
    /// represent them: arrays with explicit bounds (`[0:2]={1,2,3}`), and json arrays of several dimensions, whose
    /// elements may be arrays themselves.
    static func appendArray(
        _ text: UnsafeRawBufferPointer, of form: Form, delimiter: UInt8, to line: inout [UInt8]
    ) {
        let before = line.count
        guard appendElements(text, of: form, delimiter: delimiter, to: &line) else {
            line.removeLast(line.count - before)
            return appendString(text, to: &line)
        }
    }

    private static func appendElements(
        _ text: UnsafeRawBufferPointer, of form: Form, delimiter: UInt8, to line: inout [UInt8]
    ) -> Bool {
        guard text.first == 123 else { return false }
        var plain: [UInt8] = []
        var depth = 0
        var index = 0
        while index < text.count {
            let byte = text[index]
            switch byte {
            case 123:
                guard depth == 0 || form.scalar != .json else { return false }
                depth += 1
                line.append(91)
                index += 1
            case 125:
                depth -= 1
                line.append(93)
                index += 1
                if depth == 0 { return index == text.count }
            case delimiter:
                line.append(44)
                index += 1
            case 34:
                guard let (end, escaped) = closingQuote(of: text, from: index + 1) else { return false }
                let element = UnsafeRawBufferPointer(rebasing: text[index + 1..<end])
                index = end + 1
                guard escaped else {
                    appendScalar(element, as: form, to: &line)
                    continue
                }
                plain.removeAll(keepingCapacity: true)
                removeBackslashes(of: element, to: &plain)
                plain.withUnsafeBytes { appendScalar($0, as: form, to: &line) }
            default:
                let start = index
                while index < text.count, text[index] != delimiter, text[index] != 125 { index += 1 }
                let element = UnsafeRawBufferPointer(rebasing: text[start..<index])
                if element.elementsEqual("NULL".utf8) {
                    line.append(contentsOf: "null".utf8)
                } else {
                    appendScalar(element, as: form, to: &line)
                }
            }
        }
        return false
    }

    private static func closingQuote(of text: UnsafeRawBufferPointer, from start: Int) -> (end: Int, escaped: Bool)? {
        var index = start
        var escaped = false
        while index < text.count, text[index] != 34 {
            if text[index] == 92 {
                escaped = true
                index += 1
            }
            index += 1
        }
        return index < text.count ? (index, escaped) : nil
    }

    private static func removeBackslashes(of element: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        var index = 0
        while index < element.count {
            if element[index] == 92, index + 1 < element.count { index += 1 }
            output.append(element[index])
            index += 1
        }
    }

    /// Appends a JSON array, which a `Scanner` has read, in PostgreSQL's text form.
    /// - Throws: `Fault` when an element is not of the form's type, or when arrays are nested deeper than PostgreSQL's
    ///   may be.
    static func appendLiteral(
        of array: UnsafeRawBufferPointer, form: Form, delimiter: UInt8, depth: Int = 1, to output: inout [UInt8]
    ) throws(Fault) {
        guard depth <= dimensions else { throw Fault(reason: "an array of more than \(dimensions) dimensions") }
        var scanner = Scanner(bytes: array)
        _ = scanner.take(91)
        output.append(123)
        scanner.skipSpace()
        if scanner.take(93) {
            output.append(125)
            return
        }
        var plain: [UInt8] = []
        while true {
            let value = try scanner.value()
            let raw = UnsafeRawBufferPointer(rebasing: array[value.range])
            switch (form.scalar, value.kind) {
            case (_, .null): output.append(contentsOf: "NULL".utf8)
            case (.json, .string):
                // A string with its quotes is JSON already.
                let quoted = value.range.lowerBound - 1..<value.range.upperBound + 1
                appendQuoted(UnsafeRawBufferPointer(rebasing: array[quoted]), to: &output)
            case (.json, _): appendQuoted(raw, to: &output)
            case (_, .array):
                try appendLiteral(of: raw, form: form, delimiter: delimiter, depth: depth + 1, to: &output)
            case (_, .string) where value.escaped:
                plain.removeAll(keepingCapacity: true)
                try unescape(raw, to: &plain)
                let accepted = plain.withUnsafeBytes { form.scalar.accepts($0, .string) }
                guard accepted else { throw refusal(of: value, form) }
                plain.withUnsafeBytes { appendQuoted($0, to: &output) }
            default:
                guard form.scalar.accepts(raw, value.kind) else { throw refusal(of: value, form) }
                if value.kind == .string { appendQuoted(raw, to: &output) } else { output.append(contentsOf: raw) }
            }
            scanner.skipSpace()
            guard scanner.take(44) else { break }
            scanner.skipSpace()
            output.append(delimiter)
        }
        output.append(125)
    }

    private static func refusal(of value: Value, _ form: Form) -> Fault {
        Fault(reason: "an element is \(value.kind.name), not \(form.scalar.wanted)")
    }

    /// Appends an element in quotes, so that it cannot read as NULL or as a delimiter, and keeps its white space.
    private static func appendQuoted(_ element: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        output.append(34)
        for byte in element {
            if byte == 34 || byte == 92 { output.append(92) }
            output.append(byte)
        }
        output.append(34)
    }
}
