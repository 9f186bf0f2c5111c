import Glibc

/// A pipe whose ends are closed when another program is executed.
package struct Pipe {
    package let readEnd: Int32
    package let writeEnd: Int32

    package init() throws(ChildProcessError) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw ChildProcessError(code: errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        readEnd = ends[0]
        writeEnd = ends[1]
    }
}
