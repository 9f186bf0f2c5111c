import Glibc

public enum Processors {
    /// The processors of this host that are in use, at least one.
    public static var count: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }
}
