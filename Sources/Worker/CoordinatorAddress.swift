/// Where a coordinator may be.
public struct CoordinatorAddress: Sendable {
    /// Such as `ipc:///…` or `tcp://host:port`.
    var endpoint: String
    /// Nil where none are demanded.
    var keys: WorkerKeys?

    package init(endpoint: String, keys: WorkerKeys? = nil) {
        self.endpoint = endpoint
        self.keys = keys
    }

    /// Whether it is a name, which may lead to addresses of IPv6 and of IPv4: libzmq looks for one kind only.
    var isName: Bool {
        guard endpoint.hasPrefix("tcp://"), !isIPv6 else { return false }
        let host = endpoint.dropFirst("tcp://".count).prefix { $0 != ":" }
        return !host.allSatisfy { $0.isNumber || $0 == "." }
    }

    var isIPv6: Bool { endpoint.contains("[") }
}
