/// A number as the documentation and the sources write it, so that both can be compared.
enum Quantity: Equatable, CustomStringConvertible {
    case count(Double)
    case milliseconds(Double)

    var description: String {
        switch self {
        case .count(let number): "\(number)"
        case .milliseconds(let number): "\(number) ms"
        }
    }

    var doubled: Quantity {
        switch self {
        case .count(let number): .count(number * 2)
        case .milliseconds(let number): .milliseconds(number * 2)
        }
    }

    /// The quantities in a text, in their order: `10 s`, `200ms`, `10,000`, `4MiB`. A number within a name does not
    /// count.
    static func all(in text: some StringProtocol) -> [Quantity] {
        let words = String(text).split { " `{}();:×".contains($0) }.map { word -> Substring in
            word.last == "," ? word.dropLast() : word[...]
        }
        return words.indices.compactMap { index in
            guard let match = words[index].wholeMatch(of: /(\d[\d,]*(?:\.\d+)?)(ms|s|m|h|KiB|MiB)?/),
                let value = Double(match.1.filter { $0 != "," })
            else { return nil }
            let next = index + 1 < words.endIndex ? String(words[index + 1]) : ""
            switch match.2.map(String.init) ?? next {
            case "ms": return .milliseconds(value)
            case "s": return .milliseconds(value * 1000)
            case "m": return .milliseconds(value * 60_000)
            case "h": return .milliseconds(value * 3_600_000)
            case "KiB": return .count(value * 1024)
            case "MiB": return .count(value * 1_048_576)
            default: return .count(value)
            }
        }
    }
}
