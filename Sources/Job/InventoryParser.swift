import Glibc
internal import Yams

/// Turns a document into an inventory, key by key.
struct InventoryParser {
    private var reader: JobReader
    private let root: Field
    /// Where relative paths start.
    private let directory: String

    init(document: JobDocument, directory: String) {
        reader = JobReader(document: document)
        root = Field(path: "", key: nil, value: document.root)
        self.directory = directory
    }

    var errors: [JobError.Item] { reader.errors }

    /// The inventory, or `nil` with the reasons in ``errors``.
    mutating func inventory() -> Inventory? {
        let example = "hosts: { db1: { user: coord } }"
        if root.value.isNull {
            reader.report("the file is empty", at: nil, key: nil, mend: "For example: \(example)")
            return nil
        }
        guard let top = reader.fields(root, known: InventoryKeys.top, example: example) else { return nil }
        let coordinator = top["coordinator"].flatMap { address($0, example: "coordinator: host-a") }
        let here = top["here"].flatMap { reader.integer($0, Inventory.hereRange, example: "here: 2") }
        var defaults = InventoryHost(name: "", address: "", path: InventoryHost.defaultPath)
        if let field = top["defaults"],
            let fields = reader.fields(field, known: InventoryKeys.common, example: "defaults: { user: coord }")
        {
            read(fields, into: &defaults)
        }
        guard let field = top["hosts"] else {
            if !reader.errors.contains(where: { $0.key == "hosts" }) {
                reader.report(
                    "there is no 'hosts'", at: root.value.mark, key: "hosts", mend: "For example: \(example)")
            }
            return nil
        }
        guard let hosts = self.hosts(field, defaults, example: example) else { return nil }
        return Inventory(coordinator: coordinator, here: here, hosts: hosts)
    }

    private mutating func hosts(_ field: Field, _ defaults: InventoryHost, example: String) -> [InventoryHost]? {
        guard let fields = reader.fields(field, example: example) else { return nil }
        guard (1...Inventory.maximumHosts).contains(fields.count) else {
            let complaint = fields.isEmpty ? "there is no host" : "more hosts than the limit, \(Inventory.maximumHosts)"
            reader.report(Complaint(complaint, mend: "For example: \(example)"), in: field)
            return nil
        }
        return fields.compactMap { name, field in
            guard Job.isName(name) else {
                let mend =
                    "Write 1 to \(Job.maximumNameLength) of a-z, 0-9, '_', '.', '-', the first a letter or digit."
                reader.report("\(name.shown) is not a host's name", at: field.keyMark, key: field.path, mend: mend)
                return nil
            }
            var host = defaults
            host.name = name
            host.address = name
            // Its name may be all that there is to say.
            if field.value.isNull { return host }
            guard let keys = reader.fields(field, known: InventoryKeys.host, example: example) else { return nil }
            if let text = keys["address"].flatMap({ address($0, example: "address: 10.0.0.7") }) { host.address = text }
            read(keys, into: &host)
            return host
        }.sorted { $0.name < $1.name }
    }

    private mutating func read(_ fields: [String: Field], into host: inout InventoryHost) {
        if let field = fields["user"] { host.user = user(field) }
        if let field = fields["port"] {
            host.port = reader.integer(field, InventoryHost.portRange, example: "port: 22")
        }
        if let field = fields["workers"] {
            host.workers = reader.integer(field, InventoryHost.workersRange, example: "workers: 8")
        }
        if let field = fields["path"], let path = program(field) { host.path = path }
        if let field = fields["identity"] { host.identity = file(field, example: "identity: /etc/coord/ssh_key") }
        if let field = fields["ssh_config"] { host.sshConfig = file(field, example: "ssh_config: ssh_config") }
        if let field = fields["database"] { host.database = database(field) }
        if let field = fields["environment"] {
            host.environment.merge(environment(field)) { $1 }
            check(host.environment, in: field)
        }
    }

    // MARK: - One value

    /// What would be an option to ssh, or a command to a shell, is no address.
    private mutating func address(_ field: Field, example: String) -> String? {
        word(field, "an address or a host's name", others: ".:-_%[]", example: example)
    }

    private mutating func user(_ field: Field) -> String? {
        word(field, "a user's name", others: "._-$@\\+", example: "user: coord")
    }

    private mutating func word(_ field: Field, _ what: String, others: String, example: String) -> String? {
        reader.value(field, wanted: what, example: example) { text throws(Complaint) in
            let isPlain = text.allSatisfy { $0.isASCIIAlphanumeric || others.contains($0) }
            guard (1...InventoryHost.maximumTextBytes).contains(text.utf8.count), isPlain, !text.hasPrefix("-") else {
                throw Complaint("\(text.shown) is not \(what)", mend: "For example: \(example)")
            }
            return text
        }
    }

    private mutating func program(_ field: Field) -> String? {
        let example = "path: /usr/local/bin/coord"
        return line(field, example: example) { text throws(Complaint) in
            guard !text.hasPrefix("~"), !text.hasPrefix("-") else {
                throw Complaint(
                    "\(text.shown) is not a program's path", mend: "A path starts at the user's home: path: bin/coord")
            }
        }
    }

    /// A file of the coordinator's host, which must be there.
    private mutating func file(_ field: Field, example: String) -> String? {
        let directory = directory
        guard let text = line(field, example: example) else { return nil }
        var path = text.hasPrefix("/") ? text : "\(directory)/\(text)"
        if text.hasPrefix("~/"), let home = getenv("HOME") { path = String(cString: home) + text.dropFirst() }
        guard access(path, R_OK) == 0 else {
            let reason = String(cString: strerror(errno))
            let mend = "A path starts at the folder of this file, at / or at ~/."
            reader.report(Complaint("\(path.shown) cannot be read: \(reason)", mend: mend), in: field)
            return nil
        }
        return path
    }

    private mutating func database(_ field: Field) -> String? {
        line(field, example: "database: postgresql://app@db/app") { text throws(Complaint) in
            if let reason = Job.checkConnection(text) { throw Complaint(reason, mend: Self.secretMend) }
        }
    }

    /// A text of one line.
    private mutating func line(
        _ field: Field, example: String, _ check: (String) throws(Complaint) -> Void = { _ in }
    ) -> String? {
        reader.value(field, wanted: "text", example: example) { text throws(Complaint) in
            guard (1...InventoryHost.maximumTextBytes).contains(text.utf8.count), text.isOneLine else {
                throw Complaint(
                    "this is not a text of one line, of 1 to \(InventoryHost.maximumTextBytes) bytes",
                    mend: "For example: \(example)")
            }
            try check(text)
            return text
        }
    }

    // MARK: - Variables

    private static let secretMend = "Put it on that host, into ~/.pgpass or a file that PGPASSFILE names."
    /// Parts of names that tell of secrets, which have no place in a file that is copied about.
    private static let secretWords = ["PASSWORD", "PASSWD", "SECRET", "TOKEN"]

    private mutating func environment(_ field: Field) -> [String: String] {
        let example = "environment: { PGHOST: db.example.com }"
        guard let fields = reader.fields(field, example: example) else { return [:] }
        var variables: [String: String] = [:]
        for (name, field) in fields {
            guard Self.isVariable(name) else {
                let mend = "Write letters, digits and '_', the first no digit."
                reader.report("\(name.shown) is not a variable's name", at: field.keyMark, key: field.path, mend: mend)
                continue
            }
            if Self.secretWords.contains(where: { name.uppercased().contains($0) }) {
                reader.report(
                    "\(name.shown) is a secret by its name", at: field.keyMark, key: field.path, mend: Self.secretMend)
                continue
            }
            let value = reader.value(field, wanted: "text", example: example) { text throws(Complaint) in
                guard text.isOneLine else { throw Complaint("a variable here has one line") }
                // The reason does not quote the text.
                if let reason = Job.checkConnection(text) { throw Complaint(reason, mend: Self.secretMend) }
                return text
            }
            variables[name] = value
        }
        return variables
    }

    private mutating func check(_ variables: [String: String], in field: Field) {
        let bytes = variables.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        guard variables.count > InventoryHost.maximumVariables || bytes > InventoryHost.maximumEnvironmentBytes else {
            return
        }
        reader.report(
            Complaint(
                "\(variables.count) variables of \(bytes) bytes are more than the limit, "
                    + "\(InventoryHost.maximumVariables) of \(InventoryHost.maximumEnvironmentBytes) bytes"), in: field)
    }

    private static func isVariable(_ name: String) -> Bool {
        guard let first = name.first, first == "_" || first.isASCIIAlphanumeric, !first.isASCIIDigit else {
            return false
        }
        return name.allSatisfy { $0 == "_" || $0.isASCIIAlphanumeric }
    }
}

extension String {
    /// Whether it has no control character, such as the end of a line.
    fileprivate var isOneLine: Bool { unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F } }
}
