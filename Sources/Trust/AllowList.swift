import ZeroMQ

/// The keys that may join, by name. All others are strangers.
package struct AllowList: Sendable, Equatable {
    private var names: [CurvePublicKey: KeyName] = [:]
    /// Why files of the list are not taken; each is a key less.
    package var problems: [String] = []

    package init() {}

    package mutating func allow(_ key: CurvePublicKey, as name: KeyName) {
        // Two files may have the same key: the first in the order of names is its name.
        if let known = names[key], known < name { return }
        names[key] = name
    }

    package var isEmpty: Bool { names.isEmpty }

    /// What a key is called; nil for a stranger's.
    package func name(of key: CurvePublicKey) -> KeyName? { names[key] }

    /// Keys that were allowed before, and are not any more.
    package func revoked(since before: AllowList) -> [(key: CurvePublicKey, name: KeyName)] {
        before.names.filter { names[$0.key] == nil }.map { ($0.key, $0.value) }.sorted { $0.1 < $1.1 }
    }
}
