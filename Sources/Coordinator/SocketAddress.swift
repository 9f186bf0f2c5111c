import Glibc

/// An address of the kernel's, of whichever family.
struct SocketAddress {
    private var bytes: [UInt8]
    private var family: Int32

    init(_ address: UnsafePointer<sockaddr>, length: socklen_t) {
        bytes = Array(UnsafeRawBufferPointer(start: address, count: Int(length)))
        family = Int32(address.pointee.sa_family)
    }

    var isIPv6: Bool { family == AF_INET6 }

    func withSockaddr<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        bytes.withUnsafeBytes { buffer in
            let storage = UnsafeMutableRawPointer.allocate(
                byteCount: max(buffer.count, MemoryLayout<sockaddr>.size),
                alignment: MemoryLayout<sockaddr_in6>.alignment)
            defer { storage.deallocate() }
            storage.copyMemory(from: buffer.baseAddress!, byteCount: buffer.count)
            return body(UnsafePointer(storage.assumingMemoryBound(to: sockaddr.self)), socklen_t(buffer.count))
        }
    }

    /// Why this process cannot listen there; nil when it can, or cannot have a socket at all, which it is told when it listens.
    func obstacle() -> String? {
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        // As libzmq does it: connections that ended a moment ago are nobody's.
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        // IPv4 is another address of the list.
        if isIPv6 {
            setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &yes, socklen_t(MemoryLayout<Int32>.size))
        }
        let isBound = withSockaddr { bind(descriptor, $0, $1) == 0 }
        // Without the second a port of another that listens with the same option would look free.
        if isBound, listen(descriptor, 1) == 0 { return nil }
        return errno == EADDRINUSE ? "another process listens there" : String(cString: strerror(errno))
    }
}
