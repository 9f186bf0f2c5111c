import ZeroMQ

/// What a coordinator needs to take workers of other hosts: its own pair, and who may join.
package struct CoordinatorCredentials: Sendable {
    package let own: CurveKeyPair
    package let folder: KeyFolder
    /// As it was read at the start, with the guests; not empty.
    package let allowed: AllowList
    /// Keys that this process has made for workers that it starts itself. They are in no file, and end with it.
    package let guests: [CurvePublicKey: KeyName]
}

extension KeyFolder {
    /// - Parameter guests: keys that this process has made for workers that it starts itself.
    /// - Throws: when there is no pair, or nobody may join.
    package func credentials(guests: [CurvePublicKey: KeyName] = [:]) throws(TrustError) -> CoordinatorCredentials {
        guard let own = try coordinator() else {
            throw TrustError(
                .missing, "\(path) has no key pair for a coordinator: nothing was started",
                mend: "coord keys new coordinator   makes one")
        }
        try GuardedFile.makeFolder(allowedFolder)
        let allowed = try allowed(guests: guests)
        guard !allowed.isEmpty else {
            throw TrustError(
                .missing,
                (["no worker may join: no key is allowed in \(path), so nothing was started"] + allowed.problems)
                    .joined(separator: "\n  "),
                mend: "coord keys new NAME   makes a key for a worker's host, and allows it")
        }
        return CoordinatorCredentials(own: own, folder: self, allowed: allowed, guests: guests)
    }
}
