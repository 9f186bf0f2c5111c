import CLibPQ

/// The servers that a connection may still try, as libpq writes them: parallel comma-separated lists with one entry for
/// each host.
struct ServerList {
    private var hosts: [String]
    private var addresses: [String]
    private var ports: [String]

    /// All options of a connection, from whatever source libpq took them.
    static func options(of raw: OpaquePointer) -> [String: String] {
        guard let list = PQconninfo(raw) else { return [:] }
        defer { PQconninfoFree(list) }
        var found: [String: String] = [:]
        var option = list
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val { found[String(cString: keyword)] = String(cString: value) }
            option += 1
        }
        return found
    }

    /// The servers behind the current one; nil if there is none, or if the current one is not in the lists.
    init?(_ options: [String: String], behind raw: OpaquePointer) {
        func list(_ keyword: String) -> [String] {
            guard let text = options[keyword], !text.isEmpty else { return [] }
            return text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        }
        hosts = list("host")
        addresses = list("hostaddr")
        ports = list("port")
        let count = max(hosts.count, addresses.count)
        guard let host = PQhost(raw), let port = PQport(raw) else { return nil }
        let (name, number) = (String(cString: host), String(cString: port))
        let current = (0..<count).first { place in
            let own = place < hosts.count && !hosts[place].isEmpty ? hosts[place] : addresses.dropFirst(place).first
            let ownPort = ports.count > 1 ? ports[min(place, ports.count - 1)] : ports.first ?? ""
            return own == name && (ownPort == number || ownPort.isEmpty)
        }
        guard let current, current + 1 < count else { return nil }
        // libpq 16 and later may try them in any order.
        if options["load_balance_hosts"] == "random" {
            keep { $0 != current }
        } else {
            keep { $0 > current }
        }
        // libpq ignores an empty list and would begin with all servers again.
        guard (hosts + addresses).contains(where: { !$0.isEmpty }) else { return nil }
    }

    private mutating func keep(_ isKept: (Int) -> Bool) {
        func kept(_ list: [String]) -> [String] { list.enumerated().filter { isKept($0.offset) }.map(\.element) }
        hosts = kept(hosts)
        addresses = kept(addresses)
        if ports.count > 1 { ports = kept(ports) }
    }

    var options: [(String, String)] {
        [("host", hosts), ("hostaddr", addresses), ("port", ports)].filter { !$0.1.isEmpty }
            .map { ($0.0, $0.1.joined(separator: ",")) }
    }
}
