import Job
import Specification

extension Job {
    /// What computes the new values, as workers are told; nil where PostgreSQL does.
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

    /// How long computing one batch may take; zero when PostgreSQL computes.
    var computeTimeout: Duration {
        guard case .compute(let compute) = change else { return .zero }
        return compute.timeout
    }

    /// The Swift transform that the job needs, if it needs one.
    var transform: String? {
        guard case .compute(let compute) = change, case .transform(let name) = compute.program else { return nil }
        return name
    }
}
