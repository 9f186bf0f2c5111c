import Glibc

/// Memory of a process, from `/proc`.
package enum ProcessMemory {
    /// Resident bytes now (VmRSS) and at their peak (VmHWM); zeros if `/proc` has no such file.
    /// - Parameter pid: the process; nil for this one.
    package static func read(_ pid: pid_t? = nil) -> (rss: Int64, peak: Int64) {
        let text = contents("/proc/\(pid.map { "\($0)" } ?? "self")/status")
        func kilobytes(_ name: String) -> Int64 {
            guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(name) }) else { return 0 }
            return (Int64(line.filter(\.isNumber)) ?? 0) * 1024
        }
        return (kilobytes("VmRSS:"), kilobytes("VmHWM:"))
    }

    /// Resident bytes of a process and of its direct children; 0 when there is no such process.
    package static func residentWithChildren(_ pid: pid_t) -> Int64 {
        // A kernel without CONFIG_PROC_CHILDREN has no such file: then only the process itself counts.
        let children = contents("/proc/\(pid)/task/\(pid)/children").split(separator: " ").compactMap { pid_t($0) }
        return children.reduce(read(pid).rss) { $0 + read($1).rss }
    }

    /// The first 4096 bytes of a file; empty when it cannot be read.
    private static func contents(_ path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer[0..<count], as: UTF8.self) : ""
    }
}
