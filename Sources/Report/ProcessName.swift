/// The host and pid of a worker's process.
public struct ProcessName: Hashable, Sendable {
    /// The name by which the worker calls its host. It is not safe to print before a view has cleaned it.
    public var host: String
    public var pid: Int32

    public init(host: String, pid: Int32) {
        self.host = host
        self.pid = pid
    }
}
