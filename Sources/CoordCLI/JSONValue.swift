import Sharding

/// A member of a message, for messages with few members or with members that differ.
enum JSONValue: Encodable, Equatable, Sendable {
    case string(String)
    case number(Int64)
    case decimal(Double)
    case boolean(Bool)
    case list([JSONValue])
    case object([String: JSONValue])
    case null

    static func optional(_ value: JSONValue?) -> JSONValue { value ?? .null }

    /// A key as machines read it: a text, or of a key of several columns a list of them.
    init(_ key: Key) {
        self = key.onlyComponent.map { .string($0) } ?? .list(key.components.map { .string($0) })
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .string(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .decimal(let value): try container.encode(value)
        case .boolean(let value): try container.encode(value)
        case .list(let values): try container.encode(values)
        case .object(let members): try container.encode(members)
        case .null: try container.encodeNil()
        }
    }
}
