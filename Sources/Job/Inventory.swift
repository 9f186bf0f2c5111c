/// The hosts on which a coordinator starts workers: a file of hosts, read and checked.
public struct Inventory: Sendable, Equatable {
    /// The name or address by which the hosts reach the coordinator's; nil for what the coordinator finds itself.
    public var coordinator: String?
    /// The number of workers on the coordinator's own host; nil for that of the command line.
    public var here: Int?
    /// By name.
    public var hosts: [InventoryHost]

    static let maximumHosts = 256
    static let hereRange = 0...512

    /// - Parameter path: a regular file of UTF-8 text, at most ``Job/maximumFileBytes``.
    /// - Throws: a ``JobError`` that names every place to mend, up to ten.
    public static func load(path: String) throws(JobError) -> Inventory {
        let file = try YAMLFile(path: path, .hosts)
        return try parse(text: file.text, file: path, directory: file.directory)
    }

    /// - Parameters:
    ///   - text: YAML, at most ``Job/maximumFileBytes``.
    ///   - file: the file's name, for messages.
    ///   - directory: the absolute path of the folder where relative paths start.
    static func parse(text: String, file: String, directory: String) throws(JobError) -> Inventory {
        let document: JobDocument
        do throws(JobError.Item) {
            document = try JobDocument(text: text, .hosts)
        } catch {
            throw JobError(file: file, first: error)
        }
        var parser = InventoryParser(document: document, directory: directory)
        let inventory = parser.inventory()
        if let first = parser.errors.first {
            throw JobError(file: file, first: first, others: Array(parser.errors.dropFirst()))
        }
        guard let inventory else { throw JobError(file: file, first: .init(message: "the file holds no hosts")) }
        return inventory
    }
}
