internal import Yams

/// Turns a document into a job, key by key.
struct JobParser {
    var reader: JobReader
    private let root: Field
    private let file: String

    init(document: JobDocument, file: String) {
        self.reader = JobReader(document: document)
        self.root = Field(path: "", key: nil, value: document.root)
        self.file = file
    }

    var errors: [JobError.Item] { reader.errors }

    /// The job, or `nil` with the reasons in ``errors``.
    mutating func job(directory: String, text: String) -> Job? {
        if root.value.isNull {
            reader.report("the file is empty", at: nil, key: nil, mend: "A job names a table and new values.")
            return nil
        }
        let example = "table: public.items"
        guard let top = reader.fields(root, known: JobKeys.top, example: example) else { return nil }
        let name = name(top["name"])
        let table = table(top["table"])
        let key = top["key"].flatMap { self.key($0) }
        let predicate = top["where"].flatMap { reader.expression($0, example: "where: price IS NULL") }
        let change = change(top, key: key ?? [])
        let batch = batch(top["batch"])
        let shards = shards(top["shards"])
        let retry = retry(top["retry"])
        let database = top["database"].flatMap { self.database($0) }
        let patience = top["lock_patience"].flatMap {
            duration($0, from: .milliseconds(1), "1ms", to: .seconds(60), "60s")
        }
        let order = top["order"].flatMap { self.order($0) }
        let inFlight = top["in_flight"].flatMap { self.inFlight($0) }
        let timeZone = top["time_zone"].flatMap { self.timeZone($0) }
        let ledgerSchema = top["ledger_schema"].flatMap { self.ledgerSchema($0) }
        guard let name, let table, let change else { return nil }
        return Job(
            name: name, table: table, key: key, predicate: predicate, change: change, batch: batch, shards: shards,
            retry: retry, lockPatience: patience ?? Job.defaultLockPatience, order: order, inFlight: inFlight,
            timeZone: timeZone, database: database, ledgerSchema: ledgerSchema, directory: directory, text: text)
    }

    // MARK: What is changed

    private mutating func name(_ field: Field?) -> String? {
        let rule = "1 to \(Job.maximumNameLength) of a-z, 0-9, '_', '.', '-', the first a letter or digit"
        guard let field else {
            let base = file.split(separator: "/").last.map(String.init) ?? ""
            let stem = base.lastIndex(of: ".").map { String(base[..<$0]) } ?? base
            guard Job.isName(stem) else {
                let mend = "Add 'name:', \(rule)."
                reader.report(
                    "the file's name, \(base.shown), gives no name for the job", at: nil, key: "name", mend: mend)
                return nil
            }
            return stem
        }
        return reader.value(field, wanted: "text", example: "name: fill-prices") { text throws(Complaint) in
            guard Job.isName(text) else { throw Complaint("\(text.shown) is not a name", mend: "Write \(rule).") }
            return text
        }
    }

    private mutating func table(_ field: Field?) -> TableName? {
        guard let field else {
            reader.report(
                "there is no 'table'", at: root.value.mark, key: "table", mend: "For example: table: public.items")
            return nil
        }
        return reader.identifier(field, wanted: "a table", example: "table: public.items") { parts throws(Complaint) in
            guard parts.count <= 2 else {
                let mend = "A database is chosen by 'database:'."
                throw Complaint("a table's name has one or two parts, not \(parts.count)", mend: mend)
            }
            return TableName(schema: parts.count == 2 ? parts[0] : nil, name: parts[parts.count - 1])
        }
    }

    private mutating func key(_ field: Field) -> [String]? {
        let example = "key: id (or key: [a, b])"
        guard field.value.sequence != nil else {
            guard field.value.scalar != nil else {
                reader.wrongType(field, wanted: "a column or a list of columns", example: example)
                return nil
            }
            return reader.column(field, example: example).map { [$0] }
        }
        guard let names = reader.columns(field, example: example, limit: Job.maximumKeyColumns) else { return nil }
        if names.isEmpty {
            reader.report(Complaint("the list is empty", mend: "Remove 'key' for the primary key."), in: field)
        }
        return names
    }

    // MARK: New values

    private mutating func change(_ top: [String: Field], key: [String]) -> Job.Change? {
        let read = top["read"].flatMap { reader.columns($0, example: "read: [price, country]") }
        switch (top["set"], top["compute"]) {
        case (let set?, nil):
            if let field = top["read"] {
                let message = "'read' is for 'compute'; 'set' reads what its SQL names"
                reader.report(message, at: field.keyMark, key: "read", mend: "Remove 'read'.")
            }
            return assignments(set, key: key).map { .set($0) }
        case (nil, let field?):
            return compute(field, read: read ?? [], key: key).map { .compute($0) }
        case (_?, let field?):
            let mend = "Keep 'set' for values that PostgreSQL computes, 'compute' for those of a program."
            reader.report("there are both 'set' and 'compute'", at: field.keyMark, key: "compute", mend: mend)
        case (nil, nil):
            // A key that has no value was reported already.
            guard !reader.errors.contains(where: { $0.key == "set" || $0.key == "compute" }) else { return nil }
            let mend = "For example: set: { price: price * 2 }"
            reader.report("there is neither 'set' nor 'compute'", at: root.value.mark, key: "set", mend: mend)
        }
        return nil
    }

    private mutating func assignments(_ set: Field, key: [String]) -> [Job.Assignment]? {
        let example = "set: { price: price * 2 }"
        guard let fields = reader.fields(set, example: example) else { return nil }
        guard (1...Job.maximumColumns).contains(fields.count) else {
            let complaint = fields.isEmpty ? "there is no column" : "more columns than the limit, \(Job.maximumColumns)"
            reader.report(Complaint(complaint, mend: "For example: \(example)"), in: set)
            return nil
        }
        var assignments: [Job.Assignment] = []
        // By bytes: canonically equivalent texts are two names to PostgreSQL.
        var seen: Set<[UInt8]> = []
        for (name, field) in fields {
            let keyField = Field(path: field.path, key: field.key, value: field.key ?? field.value)
            let column = reader.column(keyField, example: example)
            let expression = reader.expression(field, example: "\(name): upper(name)")
            guard let column, let expression else { continue }
            if !seen.insert(Array(column.utf8)).inserted {
                reader.report(Complaint("the column \(column.shown) is named twice", mend: "Keep one."), in: keyField)
            }
            refuseKey(column, key, in: keyField)
            assignments.append(Job.Assignment(column: column, expression: expression))
        }
        return assignments
    }

    private mutating func refuseKey(_ column: String, _ key: [String], in field: Field) {
        guard key.contains(where: { $0.utf8.elementsEqual(column.utf8) }) else { return }
        let mend = "Rows are found by their key; change another column."
        reader.report(
            Complaint("the column \(column.shown) is part of the key and cannot change", mend: mend), in: field)
    }

    private mutating func compute(_ field: Field, read: [String], key: [String]) -> Job.Compute? {
        let example = "compute: { command: [python3, compute.py], writes: [price] }"
        guard let fields = reader.fields(field, known: JobKeys.compute, example: example) else { return nil }
        let writes = writes(fields["writes"], of: field, key: key)
        let timeout = fields["timeout"].flatMap {
            duration($0, from: .milliseconds(1), "1ms", to: .seconds(86400), "24h")
        }
        let program = program(fields["command"], fields["transform"], of: field)
        let numbers = fields["numbers"].flatMap { self.numbers($0, hasTransform: fields["transform"] != nil) }
        guard let writes, let program else { return nil }
        return Job.Compute(
            read: read, writes: writes, program: program, timeout: timeout ?? Job.defaultTimeout,
            numbers: numbers ?? .json)
    }

    private mutating func numbers(_ field: Field, hasTransform: Bool) -> Job.Numbers? {
        if hasTransform {
            let message = "'numbers' is for 'command'; a transform sees PostgreSQL's own text"
            reader.report(message, at: field.keyMark, key: "compute.numbers", mend: "Remove 'numbers'.")
            return nil
        }
        let example = "numbers: strings"
        return reader.value(field, wanted: "json or strings", example: example) { text throws(Complaint) in
            guard let numbers = Job.Numbers(rawValue: text) else {
                throw Complaint("\(text.shown) is neither json nor strings", mend: "For example: \(example)")
            }
            return numbers
        }
    }

    private mutating func writes(_ field: Field?, of parent: Field, key: [String]) -> [String]? {
        let example = "writes: [price]"
        guard let field else {
            if !reader.errors.contains(where: { $0.key == "compute.writes" }) {
                let message = "'compute' does not say which columns it writes"
                reader.report(message, at: parent.keyMark, key: "compute.writes", mend: "For example: \(example)")
            }
            return nil
        }
        guard let writes = reader.columns(field, example: example) else { return nil }
        if writes.isEmpty { reader.report(Complaint("the list is empty", mend: "For example: \(example)"), in: field) }
        for column in writes { refuseKey(column, key, in: field) }
        return writes
    }

    private mutating func program(_ command: Field?, _ transform: Field?, of parent: Field) -> Job.Program? {
        switch (command, transform) {
        case (let command?, nil): return words(command).map { .command($0) }
        case (nil, let transform?):
            let example = "transform: passthrough"
            return reader.value(transform, wanted: "text", example: example) { text throws(Complaint) in
                guard Job.isTransformName(text) else {
                    throw Complaint("\(text.shown) is not a transform's name", mend: "Write \(Job.transformNameRule).")
                }
                return .transform(text)
            }
        case (_?, let transform?):
            let message = "'compute' has both 'command' and 'transform'"
            reader.report(message, at: transform.keyMark, key: "compute.transform", mend: "Keep one of them.")
        case (nil, nil):
            let named = ["compute.command", "compute.transform"]
            guard !reader.errors.contains(where: { named.contains($0.key ?? "") }) else { return nil }
            let mend = "For example: command: [python3, compute.py]"
            let message = "'compute' has neither 'command' nor 'transform'"
            reader.report(message, at: parent.keyMark, key: "compute.command", mend: mend)
        }
        return nil
    }

    private mutating func words(_ field: Field) -> [String]? {
        let example = "command: [python3, compute.py]"
        let limit = Job.maximumCommandWords
        guard let items = reader.list(field, wanted: "a list of words", example: example, limit: limit) else {
            return nil
        }
        let words = items.compactMap { reader.text($0, example: example) }
        guard words.count == items.count else { return nil }
        guard let first = words.first, !first.isEmpty else {
            reader.report(Complaint("there is no program to run", mend: "For example: \(example)"), in: field)
            return nil
        }
        return words
    }
}
