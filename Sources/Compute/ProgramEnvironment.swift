import Batches
import Glibc
import Host

/// The environment of a compute program, beside the worker's.
struct ProgramEnvironment {
    /// Linux's limit on one variable with its name (MAX_ARG_STRLEN): 128 KiB.
    static let variableLimit = 128 << 10

    private let fixed: [String: String]
    /// Descriptions that may be too large for a variable.
    private let descriptions: [(name: String, text: String)]

    /// - Parameter applicationName: `PGAPPNAME` for the program's connections to PostgreSQL; nil leaves it unset.
    init(
        target: Target, read: [Target.Column], writes: [Target.Column], batchRows: Int, batchBytes: Int,
        applicationName: String?
    ) {
        var fixed = [
            "COORD_PROTOCOL": "1", "COORD_TABLE": target.table, "COORD_KEY": Self.keyNames(target.key),
            "COORD_BATCH_ROWS": "\(batchRows)", "COORD_BATCH_BYTES": "\(batchBytes)",
            // By default, Python buffers its output to a pipe, and reads and writes in the locale's encoding.
            "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8",
        ]
        if let applicationName { fixed["PGAPPNAME"] = applicationName }
        self.fixed = fixed
        descriptions = [
            ("COORD_COLUMNS", Self.describe(target.key.columns + read)), ("COORD_WRITES", Self.describe(writes)),
        ]
    }

    /// The variables of one program, and the files that some of them name. The files are removed with the last reference.
    func prepare() throws(ComputeError) -> (variables: [String: String], files: [PrivateFile]) {
        var variables = fixed
        var files: [PrivateFile] = []
        for (name, text) in descriptions {
            // The name, an equals sign and a NUL are counted too.
            if name.utf8.count + text.utf8.count + 2 <= Self.variableLimit {
                variables[name] = text
                continue
            }
            guard let file = PrivateFile(text) else {
                throw ComputeError(
                    description: "cannot write \(name)_FILE for the program in \(PrivateFile.folder) on host "
                        + "\(HostName.current): \(String(cString: strerror(errno)))")
            }
            variables["\(name)_FILE"] = file.path
            files.append(file)
        }
        return (variables, files)
    }

    /// The key column's name; for a key of several columns, a JSON array of their names.
    private static func keyNames(_ key: KeySchema) -> String {
        if let column = key.onlyColumn { return column.name }
        var text: [UInt8] = Array("[".utf8)
        for (index, column) in key.columns.enumerated() {
            if index > 0 { text.append(44) }
            JSONLine.appendString(column.name, to: &text)
        }
        return String(decoding: text, as: UTF8.self) + "]"
    }

    /// `[{"name":"id","type":"bigint"}]`
    private static func describe(_ columns: [Target.Column]) -> String {
        var text: [UInt8] = Array("[".utf8)
        for (index, column) in columns.enumerated() {
            text.append(contentsOf: (index == 0 ? "{\"name\":" : ",{\"name\":").utf8)
            JSONLine.appendString(column.name, to: &text)
            text.append(contentsOf: ",\"type\":".utf8)
            JSONLine.appendString(column.typeName, to: &text)
            text.append(125)
        }
        return String(decoding: text, as: UTF8.self) + "]"
    }
}
