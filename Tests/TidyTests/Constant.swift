/// A constant of the sources, or the default of a parameter, found by its name, such as `HeldRows.limit`.
struct Constant {
    /// The name with the types around it.
    var name: String

    struct Unknown: Error, CustomStringConvertible {
        var description: String
    }

    /// The values in the declaration: one value, or the ends of a range or of a pair.
    func values() throws -> [Quantity] {
        let parts = name.split(separator: ".")
        guard let type = parts.first, let member = parts.last, parts.count > 1 else {
            throw Unknown(description: "\(name) names no member of a type")
        }
        // The pattern allows a type between the name and the value.
        let declared = try Regex("\\b\(member)(?:: [\\w.]+)? = (.+)$")
        for source in Checkout.sources where source.folder.hasPrefix("Sources/") && source.head == type {
            for line in source.lines where line.contains(member) {
                guard let match = line.firstMatch(of: declared), let text = match[1].substring else { continue }
                let values = try Self.values(Self.expression(text))
                guard member.hasSuffix("Seconds") else { return values }
                return values.map { if case .count(let number) = $0 { .milliseconds(number * 1000) } else { $0 } }
            }
        }
        throw Unknown(description: "no declaration of \(name) was found")
    }

    /// The text up to the end of an argument or a parameter.
    private static func expression(_ text: Substring) -> Substring {
        var depth = 0
        for index in text.indices {
            switch text[index] {
            case "(": depth += 1
            case ")" where depth == 0: return text[..<index]
            case ")": depth -= 1
            case "," where depth == 0: return text[..<index]
            default: break
            }
        }
        return text
    }

    private static func values(_ text: Substring) throws -> [Quantity] {
        if text.hasPrefix("("), text.hasSuffix(")") {
            return try text.dropFirst().dropLast().split(separator: ", ").flatMap { part in
                try values(part.split(separator: ": ").last ?? part)
            }
        }
        if let range = text.firstRange(of: "...") {
            return [.count(try number(text[..<range.lowerBound])), .count(try number(text[range.upperBound...]))]
        }
        if let time = text.wholeMatch(of: /(?:Duration)?\.(milliseconds|seconds)\((.+)\)/) {
            return [.milliseconds(try number(time.2) * (time.1 == "seconds" ? 1000 : 1))]
        }
        return [.count(try number(text))]
    }

    private static func number(_ text: Substring) throws -> Double {
        if let sum = text.firstRange(of: " + ") {
            return try number(text[..<sum.lowerBound]) + number(text[sum.upperBound...])
        }
        if let shift = text.firstRange(of: " << ") {
            return try number(text[..<shift.lowerBound])
                * Double(1 << Int(number(text[shift.upperBound...])))
        }
        if let value = Double(text.filter { $0 != "_" }) { return value }
        switch try Constant(name: String(text)).values().first {
        case .count(let value)?: return value
        case .milliseconds(let value)?: return value / 1000
        case nil: throw Unknown(description: "\(text) has no value")
        }
    }
}
