import Glibc
import ZeroMQ

// What `coord keys` does.
extension KeyFolder {
    /// Makes a pair; a worker's is allowed to join.
    /// - Parameter created: the time, in UTC.
    /// - Throws: when there is a key of this name, which nothing replaces but a rotation.
    @discardableResult
    package func make(_ name: KeyName, created: String) throws -> KeyFile {
        let isKnown = try name != .coordinator && publicKey(named: name, in: allowedFolder) != nil
        guard !isKnown, try pair(named: name) == nil else {
            throw TrustError(
                .missing, "there is a key named \(name) already: nothing was changed",
                mend: "coord keys rotate \(name)   makes another in its place")
        }
        if name == .coordinator, try hasPin {
            throw TrustError(
                .missing, "\(file(name, Self.publicEnding)) is another coordinator's key: nothing was changed",
                mend: "remove it to make this host a coordinator's, or name another folder by --keys")
        }
        let key = KeyFile(name: name, created: created, pair: try CurveKeyPair.generate())
        try store(key, replaces: false)
        return key
    }

    /// Makes the coordinator's own pair where this host has none, and is no worker's, which has pinned another.
    /// - Returns: nil where nothing was made.
    @discardableResult
    package func makeCoordinator(created: String) throws -> KeyFile? {
        if try hasPin || coordinator() != nil { return nil }
        return try make(.coordinator, created: created)
    }

    /// Whether there is a coordinator's public key that is not of a pair beside it.
    private var hasPin: Bool {
        get throws(TrustError) {
            let own = try coordinator()
            let known = try publicKey(named: .coordinator, in: path)
            return own == nil && known != nil
        }
    }

    /// Makes another pair in the place of one. The one before goes on to be allowed, under the name's `old`, until it is
    /// revoked; a coordinator's is gone.
    @discardableResult
    package func rotate(_ name: KeyName, created: String) throws -> KeyFile {
        let before = try publicKey(named: name, in: allowedFolder)
        guard try before != nil && name != .coordinator || pair(named: name) != nil else { throw unknown(name) }
        if var before, name != .coordinator {
            guard let old = KeyName(name.old.text), try publicKey(named: old, in: allowedFolder) == nil else {
                throw TrustError(
                    .missing, "\(name.old) is still allowed, from a rotation before: nothing was changed",
                    mend: "coord keys revoke \(name.old)   once its workers have the newer key")
            }
            before.name = old
            try GuardedFile.write(
                before.publicText, to: "\(allowedFolder)/\(old)\(Self.publicEnding)", mode: GuardedFile.publicMode,
                replaces: false)
        }
        let key = KeyFile(name: name, created: created, pair: try CurveKeyPair.generate())
        try store(key, replaces: true)
        return key
    }

    /// Takes a key from the allow-list, with the one before a rotation, and removes its secret where that is here.
    ///
    /// Whoever revokes a host's key means the host, which may still have the one before; and the same key may be in several files.
    /// - Returns: the names that were taken from the list; none when they were revoked before.
    package func revoke(_ name: KeyName) throws(TrustError) -> [KeyName] {
        guard name != .coordinator else {
            throw TrustError(
                .missing, "the coordinator's key is on no allow-list: nothing was changed",
                mend: "coord keys rotate coordinator   makes another in its place")
        }
        var condemned: Set<CurvePublicKey> = []
        for known in [name, KeyName(name.old.text)].compactMap({ $0 }) {
            if let key = try publicKey(named: known, in: allowedFolder) { condemned.insert(key.publicKey) }
        }
        guard !condemned.isEmpty else {
            if try publicKey(named: name, in: revokedFolder) != nil { return [] }
            throw unknown(name)
        }
        var revoked: [KeyName] = []
        for known in try GuardedFile.names(in: allowedFolder, ending: Self.publicEnding).compactMap({ KeyName($0) }) {
            let key: KeyFile?
            do throws(TrustError) { key = try publicKey(named: known, in: allowedFolder) } catch {
                // A file that no coordinator takes either.
                guard error.code == .malformed else { throw error }
                continue
            }
            guard let key, condemned.contains(key.publicKey) else { continue }
            try revoke(key, named: known)
            revoked.append(known)
        }
        return revoked
    }

    private func revoke(_ key: KeyFile, named name: KeyName) throws(TrustError) {
        // This is what counts, and so comes first.
        let file = "\(allowedFolder)/\(name)\(Self.publicEnding)"
        if let reason = GuardedFile.remove(file) {
            throw TrustError(.exposed, "\(file) cannot be removed: \(reason). The key is still allowed", mend: "")
        }
        try GuardedFile.write(
            key.publicText, to: "\(revokedFolder)/\(name)\(Self.publicEnding)", mode: GuardedFile.publicMode,
            replaces: true)
        // Of no use to anybody any more.
        if try pair(named: name)?.publicKey == key.publicKey { unlink(self.file(name, Self.secretEnding)) }
    }

    /// A key without its secret.
    package func show(_ name: KeyName) throws(TrustError) -> KeyFile {
        if let key = try publicKey(named: name, in: name == .coordinator ? path : allowedFolder) { return key }
        guard let key = try pair(named: name) else { throw unknown(name) }
        return key
    }

    /// All keys that this folder knows, in the order of their names.
    package func list() throws(TrustError) -> [KeyEntry] {
        var entries: [KeyName: KeyEntry] = [:]
        for name in try GuardedFile.names(in: revokedFolder, ending: Self.publicEnding).compactMap({ KeyName($0) }) {
            guard let key = try publicKey(named: name, in: revokedFolder) else { continue }
            entries[name] = KeyEntry(key: key, state: .revoked)
        }
        for name in try GuardedFile.names(in: path, ending: Self.secretEnding).compactMap({ KeyName($0) }) {
            guard let key = try pair(named: name) else { continue }
            entries[name] = KeyEntry(key: key, state: name == .coordinator ? .own : .unlisted, hasSecret: true)
        }
        for name in try GuardedFile.names(in: allowedFolder, ending: Self.publicEnding).compactMap({ KeyName($0) }) {
            guard let key = try publicKey(named: name, in: allowedFolder) else { continue }
            entries[name] = KeyEntry(
                key: key, state: .allowed, hasSecret: entries[name]?.key.publicKey == key.publicKey)
        }
        return entries.values.sorted { $0.key.name < $1.key.name }
    }

    private func store(_ key: KeyFile, replaces: Bool) throws(TrustError) {
        try GuardedFile.makeFolder(path)
        guard let secret = key.secretText else { return }
        try GuardedFile.write(
            secret, to: file(key.name, Self.secretEnding), mode: GuardedFile.secretMode, replaces: replaces)
        let place = key.name == .coordinator ? path : allowedFolder
        try GuardedFile.write(
            key.publicText, to: "\(place)/\(key.name)\(Self.publicEnding)", mode: GuardedFile.publicMode,
            replaces: replaces)
    }

    private func unknown(_ name: KeyName) -> TrustError {
        TrustError(
            .missing, "there is no key named \(name) in \(path): nothing was changed", mend: "coord keys list")
    }
}
