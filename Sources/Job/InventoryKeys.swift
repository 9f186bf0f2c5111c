/// The keys of a file of hosts.
enum InventoryKeys {
    static let top = ["coordinator", "here", "defaults", "hosts"]
    /// Of `defaults`, for all hosts.
    static let common = [
        "user", "port", "workers", "path", "identity", "ssh_config", "database", "environment",
    ]
    /// Of one host.
    static let host = ["address"] + common

    /// The key that `name` belongs under: "" is the top level.
    static func home(of name: String) -> String? {
        [("", top), ("hosts.NAME", host)].first { $0.1.contains(name) }?.0
    }
}
