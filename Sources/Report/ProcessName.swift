/// Which process a worker is.
public struct ProcessName: Hashable, Sendable {
    /// As the worker named it: not safe to print before a view has cleaned it.
    public var host: String
    public var pid: Int32

    public init(host: String, pid: Int32) {
        self.host = host
        self.pid = pid
    }
}
