import Glibc

/// Why a process could not be started.
package struct ChildProcessError: Error, Equatable, CustomStringConvertible {
    /// The errno.
    package var code: Int32
    package var description: String { String(cString: strerror(code)) }
}
