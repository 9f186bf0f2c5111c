extension Job {
    /// The canonical text of a job's change. Two files have the same text exactly when they mean the same change.
    ///
    /// It holds the name, the table, the key, the predicate, and either the assignments, sorted by column, or the
    /// columns read, the program and the columns written. The other keys of a job are not part of it.
    public var fingerprint: String {
        var lines = ["job 1", line("name", [name]), line("table", [table.schema, table.name].compactMap(\.self))]
        if let key { lines.append(line("key", key)) }
        if let predicate { lines.append(line("where", [predicate.sql])) }
        switch change {
        case .set(let assignments):
            for assignment in assignments.sorted(by: { $0.column.utf8.lexicographicallyPrecedes($1.column.utf8) }) {
                lines.append(line("set", [assignment.column, assignment.expression.sql]))
            }
        case .compute(let compute):
            lines.append(line("read", compute.read))
            switch compute.program {
            case .command(let words): lines.append(line("command", words))
            case .transform(let name): lines.append(line("transform", [name]))
            }
            lines.append(line("writes", compute.writes))
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// One line of the fingerprint. Escapes keep it one line, so that no value can pass for another line.
    private func line(_ label: String, _ values: [String]) -> String {
        label
            + values.map { value in
                let escaped = value.unicodeScalars.map { scalar in
                    switch scalar {
                    case "\\": "\\\\"
                    case "\"": "\\\""
                    case "\n": "\\n"
                    default: String(scalar)
                    }
                }
                return " \"" + escaped.joined() + "\""
            }.joined()
    }
}
