/// What a YAML file is about, for the messages on it.
struct FileKind: Sendable {
    /// The file as the subject of a sentence.
    var subject: String
    /// What an empty file should have.
    var emptyMend: String
    /// What helps where the file is too large.
    var sizeMend: String?
    /// The key that the name of another key belongs under; "" is the top level.
    var home: @Sendable (String) -> String?

    static let job = FileKind(
        subject: "a job file",
        emptyMend:
            "A job names a table and new values, such as 'table: public.items' and 'set: { price: price * 2 }'.",
        sizeMend: "Move large parts into a program or an SQL function, and call that from the job.", home: JobKeys.home)

    static let hosts = FileKind(
        subject: "a file of hosts", emptyMend: "It names hosts, such as 'hosts: { db1: { user: coord } }'.",
        home: InventoryKeys.home)

    var tooLarge: Complaint {
        Complaint(
            "the file is larger than 1 MiB (\(Job.maximumFileBytes) bytes), the limit for \(subject)", mend: sizeMend)
    }
}
