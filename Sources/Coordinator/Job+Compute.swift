import Job
import Specification

extension Job {
    /// The program that computes the new values, as workers are told; nil if PostgreSQL computes them.
    var program: ProgramSpecification? {
        guard case .compute(let compute) = change else { return nil }
        let program: ProgramSpecification.Program =
            switch compute.program {
            case .command(let words): .command(words, directory: directory)
            case .transform(let name): .transform(name)
            }
        return ProgramSpecification(
            program, timeout: compute.timeout, quotesNumbers: compute.numbers == .strings)
    }

    /// The time that the computation of one batch may take; zero if PostgreSQL computes.
    var computeTimeout: Duration {
        guard case .compute(let compute) = change else { return .zero }
        return compute.timeout
    }

    /// The Swift transform that the job needs; nil for none.
    var transform: String? {
        guard case .compute(let compute) = change, case .transform(let name) = compute.program else { return nil }
        return name
    }
}
