/// Why this process cannot do what its arguments ask for.
struct UsageFault: Error, CustomStringConvertible {
    var description: String
}
