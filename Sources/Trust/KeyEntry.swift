/// A key as `coord keys list` shows it.
package struct KeyEntry: Sendable, Equatable {
    package enum State: String, Sendable {
        /// The coordinator's own.
        case own
        case allowed
        case revoked
        /// A pair that this host's coordinators do not take, as on a worker's host.
        case unlisted
    }

    package var key: KeyFile
    package var state: State
    /// Whether the secret is in this folder.
    package var hasSecret = false
}
