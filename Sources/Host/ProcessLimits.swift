import Glibc

/// The kernel's limits on open files of this process and on threads of this user. Beyond them, libraries abort the
/// process without a message, so coord refuses beforehand a load that cannot fit.
package enum ProcessLimits {
    /// The most descriptors that this process asks for. The hard limit may be a billion, and child programs inherit the
    /// limit: some close every possible descriptor when they start.
    static let descriptorsWanted = 65_536

    // MARK: - Open files

    /// Raises this process's limit on open files as far as allowed. Programs that it starts inherit the limit.
    /// - Returns: the limit now.
    @discardableResult
    package static func raiseDescriptors() -> Int {
        raise(Int32(RLIMIT_NOFILE.rawValue), to: descriptorsWanted)
    }

    /// The number of descriptors that this process has open now.
    package static var openDescriptors: Int { max(0, entries(of: "/proc/self/fd").count - 1) }

    // MARK: - Threads

    /// Raises the limit on this user's threads, over all of the user's processes, as far as this process may.
    /// - Returns: the limit now; nil when this process has none.
    @discardableResult
    package static func raiseThreads() -> Int? {
        let limit = raise(Int32(__RLIMIT_NPROC.rawValue), to: .max)
        // The kernel does not count root's threads.
        return geteuid() == 0 || limit == .max ? nil : limit
    }

    /// Threads of this process's real user in all processes, as the kernel counts them; zero when `/proc` shows none.
    package static var threadsOfUser: Int {
        let user = "\(getuid())"
        var count = 0
        for process in entries(of: "/proc") where process.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            // The process may have ended meanwhile.
            guard let status = text(of: "/proc/\(process)/status") else { continue }
            var threads = 0
            var isOwn = false
            for line in status.split(separator: "\n") {
                let words = line.split(whereSeparator: \.isWhitespace)
                if words.first == "Uid:" { isOwn = words.dropFirst().first.map(String.init) == user }
                if words.first == "Threads:" { threads = words.dropFirst().first.flatMap { Int($0) } ?? 0 }
            }
            if isOwn { count += threads }
        }
        return count
    }

    // MARK: -

    private static func raise(_ resource: Int32, to wanted: Int) -> Int {
        let resource = __rlimit_resource_t(UInt32(resource))
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return .max }
        let target = min(limit.rlim_max, rlim_t(wanted))
        if limit.rlim_cur < target {
            var raised = limit
            raised.rlim_cur = target
            if setrlimit(resource, &raised) == 0 { limit = raised }
        }
        return Int(clamping: limit.rlim_cur)
    }

    private static func entries(of folder: String) -> [String] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    private static func text(of file: String) -> String? {
        let descriptor = open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(descriptor, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer[0..<count], as: UTF8.self) : nil
    }
}
