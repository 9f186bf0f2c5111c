import Sharding

/// A key as machines read it: a text, or of a key of several columns a list of them.
struct KeyObject: Encodable {
    let key: Key

    init(_ key: Key) { self.key = key }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if let only = key.onlyComponent {
            try container.encode(only)
        } else {
            try container.encode(key.components)
        }
    }
}
