import Glibc

/// A TCP endpoint's host and port: an address, `*` for all of this host, or a name.
struct TCPAddress: Equatable {
    private static let scheme = "tcp://"

    var host: String
    var port: String

    /// - Returns: nil for endpoints of another kind.
    init?(_ endpoint: String) {
        guard endpoint.hasPrefix(Self.scheme) else { return nil }
        let address = endpoint.dropFirst(Self.scheme.count)
        guard let colon = address.lastIndex(of: ":") else { return nil }
        host = String(address[..<colon])
        port = String(address[address.index(after: colon)...])
    }

    private init(host: String, port: String) {
        self.host = host
        self.port = port
    }

    var endpoint: String { "\(Self.scheme)\(host):\(port)" }

    /// All addresses of this host.
    var isWildcard: Bool { ["*", "0.0.0.0", "[::]"].contains(host) }

    /// The whole of 127.0.0.0/8 and ::1, and nothing that only begins like them.
    var isLoopback: Bool {
        var parsed = in_addr()
        return host == "[::1]" || inet_pton(AF_INET, host, &parsed) == 1 && host.hasPrefix("127.")
    }

    var isIPv6: Bool { host.hasPrefix("[") || host == "*" }

    /// Where this host reaches what listens there.
    var near: TCPAddress {
        // libzmq has IPv4 led to a socket of all IPv6 addresses too.
        isWildcard ? TCPAddress(host: "127.0.0.1", port: port) : self
    }

    /// Where other hosts reach it, where all addresses of this one are listened on.
    func reached(at name: String) -> TCPAddress { isWildcard ? TCPAddress(host: name, port: port) : self }

    /// The same port under another name or address.
    func renamed(_ name: String) -> TCPAddress {
        let isBare = name.contains(":") && !name.hasPrefix("[")
        return TCPAddress(host: isBare ? "[\(name)]" : name, port: port)
    }

    /// The addresses of a name, since libzmq listens on addresses only. What is no name, or none that leads anywhere, is
    /// itself: it may be a network interface's.
    func resolved() -> [TCPAddress] {
        guard !isWildcard, !host.hasPrefix("[") else { return [self] }
        var found: [TCPAddress] = []
        for address in Self.addresses(of: host, port: port, flags: 0) {
            var name = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let status = address.withSockaddr { pointer, length in
                getnameinfo(pointer, length, &name, socklen_t(name.count), nil, 0, NI_NUMERICHOST)
            }
            guard status == 0 else { continue }
            let text = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            let one = TCPAddress(host: address.isIPv6 ? "[\(text)]" : text, port: port)
            if !found.contains(one) { found.append(one) }
        }
        return found.isEmpty ? [self] : found
    }

    /// Why nobody can listen there; nil where somebody can, or where that is not known before it is tried.
    func obstacle() -> String? {
        let isAnyPort = port == "*" || port == "0"
        guard isAnyPort || UInt16(port) != nil else { return "\(port) is no port" }
        let bare = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        let addresses = Self.addresses(of: host == "*" ? nil : bare, port: port, flags: AI_PASSIVE)
        // A network interface's name is libzmq's to look up.
        if addresses.isEmpty, if_nametoindex(bare) == 0 {
            return "\(host) is no address, no name of one and no network interface of this host"
        }
        if isAnyPort { return nil }
        for address in addresses {
            if let reason = address.obstacle() { return reason }
        }
        return nil
    }

    private static func addresses(of host: String?, port: String, flags: Int32) -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = flags
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, UInt16(port).map { "\($0)" } ?? "0", &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var found: [SocketAddress] = []
        var next = list
        while let entry = next {
            if let address = entry.pointee.ai_addr {
                found.append(SocketAddress(address, length: entry.pointee.ai_addrlen))
            }
            next = entry.pointee.ai_next
        }
        return found
    }
}
