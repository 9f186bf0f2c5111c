import FoundationEssentials

/// JSON on standard output: one object, or one a line.
enum JSONOutput {
    static func text(_ value: some Encodable) -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            let text = String(decoding: try encoder.encode(value), as: UTF8.self)
            // JSONEncoder escapes what is below a space; a terminal takes these for controls as well.
            guard text.unicodeScalars.contains(where: { (0x7F..<0xA0).contains($0.value) }) else { return text }
            return text.unicodeScalars.reduce(into: "") { text, scalar in
                if (0x7F..<0xA0).contains(scalar.value) {
                    text += "\\u00" + String(scalar.value, radix: 16)
                } else {
                    text.unicodeScalars.append(scalar)
                }
            }
        } catch {
            preconditionFailure("values made here can be encoded: \(error)")
        }
    }

    static func line(_ value: some Encodable) -> String { text(value) + "\n" }

    static func print(_ value: some Encodable) { Terminal.output.post(line(value)) }
}

func rounded(_ value: Double) -> Double { (value * 10).rounded() / 10 }
