internal import Yams

/// Reads typed values out of YAML nodes and collects the faults instead of stopping at the first.
///
/// A method that returns `nil` has reported a fault.
struct JobReader {
    /// The most errors that are collected; the user is told the first ``JobError/maximumItems`` by place.
    static let maximumErrors = 1000

    let document: JobDocument
    private(set) var errors: [JobError.Item] = []

    init(document: JobDocument) {
        self.document = document
    }

    mutating func report(_ message: String, at mark: Mark?, key: String?, mend: String? = nil) {
        guard errors.count < Self.maximumErrors else { return }
        errors.append(.init(line: mark?.line, column: mark?.column, key: key, message: message, mend: mend))
    }

    mutating func report(_ complaint: Complaint, in field: Field) {
        let message = "\(field.path.shown): \(complaint.message)"
        report(message, at: field.value.mark ?? field.keyMark, key: field.path, mend: complaint.mend)
    }

    /// The fields of a mapping, in the file's order, with keys of any name.
    mutating func fields(_ field: Field, example: String) -> [(name: String, field: Field)]? {
        guard let mapping = field.value.mapping else {
            wrongType(field, wanted: "a mapping", example: example)
            return nil
        }
        return mapping.compactMap { key, value in
            guard let name = key.scalar?.string else {
                report("a key must be text", at: key.mark, key: nil)
                return nil
            }
            let path = field.path.isEmpty ? name : "\(field.path).\(name)"
            return (name, Field(path: path, key: key, value: value))
        }
    }

    /// The fields of a mapping whose keys are `known`; reports others, and known ones without a value.
    mutating func fields(_ field: Field, known: [String], example: String) -> [String: Field]? {
        guard let all = fields(field, example: example) else { return nil }
        var result: [String: Field] = [:]
        for (name, child) in all {
            if !known.contains(name) {
                unknown(name, child, known: known, parent: field.path)
            } else if child.value.isNull {
                report(
                    "'\(child.path)' has no value", at: child.keyMark, key: child.path,
                    mend: "Give one or remove the key.")
            } else {
                result[name] = child
            }
        }
        return result
    }

    /// A scalar's text as written.
    mutating func text(_ field: Field, wanted: String = "text", example: String) -> String? {
        guard let scalar = field.value.scalar else {
            wrongType(field, wanted: wanted, example: example)
            return nil
        }
        if scalar.string.unicodeScalars.contains("\0") {
            report(Complaint("a NUL character is not allowed"), in: field)
            return nil
        }
        return scalar.string
    }

    /// A whole number in `range`.
    mutating func integer(_ field: Field, _ range: ClosedRange<Int>, example: String) -> Int? {
        value(field, wanted: "a whole number", example: example) { text throws(Complaint) in
            try Quantity.integer(text, in: range)
        }
    }

    /// A scalar parsed by `parse`, whose complaint is reported.
    mutating func value<T>(
        _ field: Field, wanted: String, example: String, _ parse: (String) throws(Complaint) -> T
    ) -> T? {
        guard let text = text(field, wanted: wanted, example: example) else { return nil }
        do throws(Complaint) {
            return try parse(text)
        } catch {
            report(error, in: field)
            return nil
        }
    }

    /// The items of a list, at most `limit`.
    mutating func list(_ field: Field, wanted: String, example: String, limit: Int) -> [Field]? {
        guard let sequence = field.value.sequence else {
            wrongType(field, wanted: wanted, example: example)
            return nil
        }
        guard sequence.count <= limit else {
            report(Complaint("\(sequence.count) items are more than the limit, \(limit)"), in: field)
            return nil
        }
        return sequence.map { Field(path: field.path, key: field.key, value: $0) }
    }

    mutating func wrongType(_ field: Field, wanted: String, example: String) {
        let found =
            switch field.value {
            case .sequence: "a list"
            case .mapping: "a mapping"
            case .scalar, .alias: "a single value"
            }
        let subject = field.path.isEmpty ? document.kind.subject : "'\(field.path)'"
        report(
            "\(subject) must be \(wanted), not \(found)", at: field.value.mark,
            key: field.path.isEmpty ? nil : field.path,
            mend: "For example: \(example)")
    }

    private mutating func unknown(_ name: String, _ field: Field, known: [String], parent: String) {
        guard errors.count < Self.maximumErrors else { return }
        var message = "unknown key \(name.shown)" + (parent.isEmpty ? "" : " in '\(parent)'")
        var mend: String? = "The keys here are \(known.joined(separator: ", "))."
        if let near = nearestName(to: name, in: known) {
            message += " (did you mean '\(near)'?)"
            mend = nil
        } else if let home = document.kind.home(name), home != parent {
            mend = home.isEmpty ? "It belongs to the top level." : "It belongs under '\(home)'."
        }
        report(message, at: field.keyMark, key: field.path, mend: mend)
    }
}

extension Node {
    /// Whether nothing, `~` or `null` stands where a value belongs.
    var isNull: Bool {
        guard case .scalar(let scalar) = self, scalar.style == .plain else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }
}
