import Glibc

enum Environment {
    /// The number in an environment variable; nil if the variable is not set. A value that is no number is an error.
    static func number(_ name: String) -> Int? {
        guard let value = getenv(name).map({ String(cString: $0) }), !value.isEmpty else { return nil }
        guard let number = Int(value), number >= 0 else { fatalError("\(name)=\(value) is not a number of seeds") }
        return number
    }
}
