import Job

extension Job {
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
