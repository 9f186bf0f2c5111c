import Glibc

/// What the kernel lets this process and this user have: open files and threads. Beyond them libraries abort the process
/// without a word, so that what cannot fit is to be refused before.
package enum ProcessLimits {
    /// Descriptors that this process asks for at the most. Not all that the hard limit gives, which may be a billion: there
    /// are programs that close each one when they start, and they inherit the limit.
    static let descriptorsWanted = 65_536

    // MARK: - Open files

    /// Raises this process's limit of open files as far as it may, which also counts for the programs that it starts.
    /// - Returns: the limit now.
    @discardableResult
    package static func raiseDescriptors() -> Int {
        raise(Int32(RLIMIT_NOFILE.rawValue), to: descriptorsWanted)
    }

    /// Files, sockets and the like that this process has open now.
    package static var openDescriptors: Int { max(0, entries(of: "/proc/self/fd").count - 1) }

    // MARK: - Threads

    /// Raises the limit of this user's threads, in all of its processes, as far as this process may.
    /// - Returns: the limit now; nil when there is none for this process.
    @discardableResult
    package static func raiseThreads() -> Int? {
        let limit = raise(Int32(__RLIMIT_NPROC.rawValue), to: .max)
        // The kernel does not count for root.
        return geteuid() == 0 || limit == .max ? nil : limit
    }

    /// Threads of this user in all processes, its real one, which the kernel counts; zero where nothing can be seen.
    package static var threadsOfUser: Int {
        let user = "\(getuid())"
        var count = 0
        for process in entries(of: "/proc") where process.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            // A process may end meanwhile.
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
