import Glibc

enum Environment {
    /// The number in a variable; nil where it is not set. A value that is no number is a mistake, not a default.
    static func number(_ name: String) -> Int? {
        guard let value = getenv(name).map({ String(cString: $0) }), !value.isEmpty else { return nil }
        guard let number = Int(value), number >= 0 else { fatalError("\(name)=\(value) is not a number of seeds") }
        return number
    }
}
