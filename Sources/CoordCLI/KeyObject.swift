import Sharding

/// A key as machines read it: a text, or of a key of several columns a list of them.
struct KeyObject: Encodable {
    let key: Key

    init(_ key: Key) { self.key = key }

    func encode(to encoder: any Encoder) throws {
        try JSONValue(key).encode(to: encoder)
    }
}
