/// Why a keeper cannot start workers. It quotes nothing of what was handed over.
package enum HandoverError: Error, Equatable, CustomStringConvertible {
    /// The coordinator's side was gone before it had said all.
    case ended
    case malformed
    /// Another version of coord is at the other side.
    case otherForm

    package var description: String {
        switch self {
        case .ended: "the coordinator was gone before it had said what to start"
        case .malformed: "what the coordinator said cannot be read"
        case .otherForm: "the coordinator is of another version: install the same version of coord on both hosts"
        }
    }
}
