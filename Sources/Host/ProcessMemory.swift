import Glibc

/// Memory of this process, from `/proc/self/status`.
package enum ProcessMemory {
    /// Resident bytes now (VmRSS) and at their peak (VmHWM); zeros where there is no such file.
    package static func read() -> (rss: Int64, peak: Int64) {
        let descriptor = open("/proc/self/status", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return (0, 0) }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        guard count > 0 else { return (0, 0) }
        let text = String(decoding: buffer[0..<count], as: UTF8.self)
        func kilobytes(_ name: String) -> Int64 {
            guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(name) }) else { return 0 }
            return (Int64(line.filter(\.isNumber)) ?? 0) * 1024
        }
        return (kilobytes("VmRSS:"), kilobytes("VmHWM:"))
    }
}
