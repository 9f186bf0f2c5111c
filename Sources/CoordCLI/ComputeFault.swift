/// Why this process cannot compute what a job asks for.
struct ComputeFault: Error, CustomStringConvertible {
    var description: String
}
