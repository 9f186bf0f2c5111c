internal import Yams

extension JobReader {
    /// The SQL of a scalar.
    mutating func expression(_ field: Field, example: String) -> Job.Expression? {
        guard let text = text(field, wanted: "SQL text", example: example), let scalar = field.value.scalar else {
            return nil
        }
        if document.losesOperator(scalar) {
            let complaint = Complaint(
                "YAML takes ' #' for the start of a comment, so the SQL would end there",
                mend: "Put the SQL in double quotes, or on its own line below '|'.")
            report(complaint, in: field)
            return nil
        }
        let leading = text.prefix(while: \.isNewline)
        let sql = String(text.dropFirst(leading.count)).trimmingTrailingWhitespace
        guard !sql.isEmpty, !(scalar.style == .plain && sql == "~") else {
            report(
                Complaint("there is no SQL here", mend: "For example: \(example) (or null, for SQL's NULL)"), in: field)
            return nil
        }
        let start = document.start(of: scalar)
        let isQuoted = scalar.style == .singleQuoted || scalar.style == .doubleQuoted
        return Job.Expression(sql: sql, line: start.line, column: start.column, isQuoted: isQuoted)
    }

    /// Reads a column's name from a scalar, which is a value or a key of `set`.
    mutating func column(_ field: Field, example: String) -> String? {
        identifier(field, wanted: "a column", example: example) { parts throws(Complaint) in
            guard parts.count == 1 else {
                let mend = "Write the column alone; a dot inside a name needs double quotes, '\"a.b\"'."
                throw Complaint("a column's name has one part, not \(parts.count)", mend: mend)
            }
            return parts[0]
        }
    }

    /// The names of a list of columns, each once.
    mutating func columns(_ field: Field, example: String, limit: Int = Job.maximumColumns) -> [String]? {
        guard let items = list(field, wanted: "a list of columns", example: example, limit: limit) else { return nil }
        var names: [String] = []
        // By bytes: canonically equivalent texts are two names to PostgreSQL.
        var seen: Set<[UInt8]> = []
        var isComplete = true
        for item in items {
            guard let name = column(item, example: example) else {
                isComplete = false
                continue
            }
            if seen.insert(Array(name.utf8)).inserted {
                names.append(name)
            } else {
                report(Complaint("the column \(name.shown) is named twice", mend: "Keep one of them."), in: item)
                isComplete = false
            }
        }
        return isComplete ? names : nil
    }

    /// Reads a dotted name and gives its parts to `make`.
    mutating func identifier<T>(
        _ field: Field, wanted: String, example: String, _ make: ([String]) throws(Complaint) -> T
    ) -> T? {
        let isDoubleQuoted = field.value.scalar?.style == .doubleQuoted
        return value(field, wanted: wanted, example: example) { text throws(Complaint) in
            // "Id" may mean the column id in YAML's quotes, or the column "Id" in SQL's quotes. A guess could change
            // the wrong column.
            if isDoubleQuoted, !text.contains("\""), text.unicodeScalars.contains(where: { ("A"..."Z").contains($0) }),
                text.unicodeScalars.allSatisfy({ $0.properties.isAlphabetic || $0 == "_" || $0 == "." || $0.isDigit })
            {
                throw Complaint(
                    "it is not clear whether \(text.shown) keeps its case: these quotes are YAML's, not SQL's",
                    mend: "Write '\(Identifier.quoted(text))' to keep it, or \(text.lowercased()) without quotes.")
            }
            return try make(try Identifier.parts(of: text))
        }
    }
}

extension Unicode.Scalar {
    fileprivate var isDigit: Bool { ("0"..."9").contains(self) }
}

extension String {
    fileprivate var trimmingTrailingWhitespace: String {
        lastIndex { !$0.isWhitespace }.map { String(self[...$0]) } ?? ""
    }
}
