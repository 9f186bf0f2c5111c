import ZeroMQ

/// The folder of a host's keys. It is read anew at each call, so a key that is revoked is so at once.
///
/// | file | what it is |
/// |---|---|
/// | `coordinator.key` | the pair of the coordinators that start here |
/// | `coordinator.pub` | the key that workers here take as their coordinator's: a copy of the file beside that pair |
/// | `NAME.key` | the pair of a worker or a host |
/// | `allowed/NAME.pub` | a key that may join |
/// | `revoked/NAME.pub` | a key that may not any more, for people |
package struct KeyFolder: Sendable, Equatable {
    package let path: String

    /// Files of the allow-list at the most.
    static let limit = 10_000
    static let secretEnding = ".key"
    static let publicEnding = ".pub"

    package init(_ path: String) {
        var path = path
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        self.path = path
    }

    // MARK: - A coordinator

    /// The coordinator's own pair; nil when there is none.
    package func coordinator() throws(TrustError) -> CurveKeyPair? { try pair(named: .coordinator)?.pair }

    /// The keys that may join. A file that cannot be used is a key less, and a problem.
    /// - Parameter guests: keys that may join though no file says so.
    /// - Throws: when the folder of the list is not there, when it or a file in it cannot be read just now, or when others could
    ///   change it.
    package func allowed(guests: [CurvePublicKey: KeyName] = [:]) throws(TrustError) -> AllowList {
        var list = AllowList()
        for (key, name) in guests { list.allow(key, as: name) }
        // Who can change the folder above can put another list in the place of this one.
        try GuardedFile.checkFolder(path)
        try GuardedFile.checkFolder(allowedFolder)
        for name in try GuardedFile.names(in: allowedFolder, ending: Self.publicEnding).prefix(Self.limit) {
            let file = "\(allowedFolder)/\(name)\(Self.publicEnding)"
            do throws(TrustError) {
                // It may have been revoked since the folder was read.
                guard let text = try GuardedFile.read(file, isSecret: false) else { continue }
                guard let known = KeyName(name) else { continue }
                list.allow(try KeyFile(parsing: text, file: file).publicKey, as: known)
            } catch {
                if error.code == .unreadable { throw error }
                list.problems.append("\(error)")
            }
        }
        return list
    }

    // MARK: - A worker

    /// The pair by which a worker of this host is known.
    /// - Parameter name: which, where the folder has several.
    package func worker(named name: KeyName?) throws(TrustError) -> CurveKeyPair {
        let names = try GuardedFile.names(in: path, ending: Self.secretEnding).compactMap { KeyName($0) }
            .filter { $0 != .coordinator }
        guard let chosen = name ?? names.first, names.contains(chosen), let pair = try pair(named: chosen)?.pair else {
            throw TrustError(
                .missing,
                "\(path) has no key pair\(name.map { " named \($0)" } ?? "") for a worker: nothing was started",
                mend:
                    "coord keys new NAME   on the coordinator's host makes one; copy its NAME.key and coordinator.pub here"
            )
        }
        guard name != nil || names.count == 1 else {
            throw TrustError(
                .missing, "\(path) has several key pairs for workers: \(names.map(\.text).joined(separator: ", "))",
                mend: "--key \(chosen)   chooses one")
        }
        return pair
    }

    /// The coordinator's public key, which workers here expect.
    package func pinned() throws(TrustError) -> CurvePublicKey {
        let file = file(.coordinator, Self.publicEnding)
        guard let text = try GuardedFile.read(file, isSecret: false) else {
            throw TrustError(
                .missing, "\(file) is missing: without it a worker cannot tell its coordinator from another",
                mend: "copy it from the coordinator's host, where   coord keys show coordinator   prints it")
        }
        return try KeyFile(parsing: text, file: file).publicKey
    }

    // MARK: - Files

    var allowedFolder: String { "\(path)/allowed" }
    var revokedFolder: String { "\(path)/revoked" }

    func file(_ name: KeyName, _ ending: String) -> String { "\(path)/\(name)\(ending)" }

    /// - Returns: nil when there is no such file.
    func pair(named name: KeyName) throws(TrustError) -> KeyFile? {
        let file = file(name, Self.secretEnding)
        guard let text = try GuardedFile.read(file, isSecret: true) else { return nil }
        let key = try KeyFile(parsing: text, file: file)
        guard key.pair != nil else {
            throw TrustError(.malformed, "\(file) has no secret", mend: "copy it again, as a whole")
        }
        return key
    }

    /// - Returns: nil when there is no such file.
    func publicKey(named name: KeyName, in folder: String) throws(TrustError) -> KeyFile? {
        let file = "\(folder)/\(name)\(Self.publicEnding)"
        guard let text = try GuardedFile.read(file, isSecret: false) else { return nil }
        var key = try KeyFile(parsing: text, file: file)
        key.name = name
        return key
    }
}
