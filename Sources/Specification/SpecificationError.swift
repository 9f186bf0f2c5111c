/// Why a run's specification cannot be used.
public enum SpecificationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A newer coord made the specification.
    case newer(version: Int)
    /// The text is no specification, or somebody has changed it.
    case unreadable(reason: String)

    public var description: String {
        switch self {
        case .newer(let version):
            "the run's specification has version \(version), and this build reads \(RunSpecification.currentVersion) at the most"
        case .unreadable(let reason): "the run's specification in the ledger cannot be read: \(reason)"
        }
    }
}
