import Foundation

/// A value of a JSON text, with access to its members.
struct JSON {
    private let value: Any?

    init(_ text: String) throws { value = try JSONSerialization.jsonObject(with: Data(text.utf8)) }
    private init(value: Any?) { self.value = value is NSNull ? nil : value }

    subscript(_ member: String) -> JSON { JSON(value: (value as? [String: Any])?[member]) }

    /// The names of an object's members, sorted; empty for any other value.
    var members: [String] { (value as? [String: Any]).map { $0.keys.sorted() } ?? [] }
    /// The elements of an array; empty for any other value.
    var elements: [JSON] { (value as? [Any] ?? []).map { JSON(value: $0) } }
    var string: String? { value as? String }
    var int: Int? { (value as? NSNumber)?.intValue }
    var double: Double? { (value as? NSNumber)?.doubleValue }
    var bool: Bool? { (value as? NSNumber)?.boolValue }
    var isNull: Bool { value == nil }

    /// The values of a text that has one JSON value a line.
    static func lines(_ text: String) throws -> [JSON] {
        try text.split(separator: "\n").map { try JSON(String($0)) }
    }
}
