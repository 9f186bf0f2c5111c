import Glibc

/// The folder for files that a test leaves behind: `make test` removes it at its end.
package enum ScratchFolder {
    package static var path: String { getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp" }
}
