import Glibc

/// The ipc endpoint in a folder that only this user can enter.
package enum PrivateEndpoint {
    private static let scheme = "ipc://"

    package static func inside(_ folder: String) -> String { "\(scheme)\(path(inside: folder))" }

    package static func path(inside folder: String) -> String { "\(folder)/run" }

    /// Removes the socket, and its folder if the folder is then empty. Does nothing for endpoints that are no files.
    package static func remove(_ endpoint: String) {
        guard endpoint.hasPrefix(scheme) else { return }
        let path = String(endpoint.dropFirst(scheme.count))
        unlink(path)
        if let slash = path.lastIndex(of: "/") { rmdir(String(path[..<slash])) }
    }
}
