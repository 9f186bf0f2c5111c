import CZeroMQ

/// The libzmq that this process has loaded.
public enum LibZMQ {
    /// For example `4.3.4`.
    public static var version: String {
        var (major, minor, patch) = (Int32(0), Int32(0), Int32(0))
        zmq_version(&major, &minor, &patch)
        return "\(major).\(minor).\(patch)"
    }
}
