import Glibc

/// The service manager that has started this process, such as systemd with `Type=notify`: what it is told goes to the socket
/// that it has named, a datagram each.
package struct ServiceManager: Sendable {
    /// A path, or a name with `@` that is no file.
    private let address: String
    /// Within this time it wants a sign of life; nil where it wants none.
    package let watchdog: Duration?

    private static let socketVariable = "NOTIFY_SOCKET"
    private static let watchdogVariable = "WATCHDOG_USEC"
    private static let watchdogProcessVariable = "WATCHDOG_PID"
    /// Bytes of a status at the most.
    private static let statusLimit = 1000

    /// The manager of this process. Asked for the first time, it takes the variables out of the environment, so that no
    /// worker and no program can speak in this process's name. Ask before other threads begin.
    package static let own: ServiceManager? = {
        func value(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
        let manager = ServiceManager(value)
        for name in [socketVariable, watchdogVariable, watchdogProcessVariable] { unsetenv(name) }
        return manager
    }()

    /// - Parameter variable: the value of a variable of the environment.
    init?(_ variable: (String) -> String?) {
        guard let address = variable(Self.socketVariable), address.count > 1,
            address.hasPrefix("/") || address.hasPrefix("@")
        else { return nil }
        self.address = address
        let isForThis = variable(Self.watchdogProcessVariable).map { pid_t($0) == getpid() } ?? true
        let microseconds = variable(Self.watchdogVariable).flatMap { Int64($0) } ?? 0
        watchdog = isForThis && microseconds > 0 ? .microseconds(microseconds) : nil
    }

    /// The process does what it is there for.
    package func ready() { send("READY=1") }
    /// The process is about to end.
    package func stopping() { send("STOPPING=1") }
    /// The process lives, and knows what it waits for.
    package func feed() { send("WATCHDOG=1") }

    /// What the process does, in a line for people.
    package func status(_ text: String) {
        let line = text.prefix(Self.statusLimit).split(whereSeparator: \.isNewline).joined(separator: "; ")
        send("STATUS=\(line.withVisibleControls)")
    }

    /// A manager that does not listen is no reason to stop, nor to wait.
    private func send(_ text: String) {
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var place = sockaddr_un()
        place.sun_family = sa_family_t(AF_UNIX)
        var name = Array(address.utf8)
        guard name.count < MemoryLayout.size(ofValue: place.sun_path) else { return }
        if name[0] == UInt8(ascii: "@") { name[0] = 0 }
        withUnsafeMutableBytes(of: &place.sun_path) { $0.copyBytes(from: name) }
        let length = MemoryLayout<sockaddr_un>.offset(of: \.sun_path)! + name.count
        let bytes = Array(text.utf8)
        withUnsafePointer(to: &place) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { target in
                _ = sendto(
                    descriptor, bytes, bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL), target,
                    socklen_t(length))
            }
        }
    }
}
