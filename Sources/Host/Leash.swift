import CHost
import Glibc

/// Starts a program so that the kernel kills it when the process that started it dies, however it dies.
///
/// `posix_spawn` cannot request that. So this program starts itself in between (a self-exec): it requests the signal
/// for itself, and then becomes the other program.
package enum Leash {
    private static let word = "exec-on-leash"

    /// The arguments for the self-exec that becomes `command`.
    package static func arguments(_ command: [String]) -> [String] { [word, "\(getpid())"] + command }

    /// Waits for admission: a byte on standard input, from the process at its other end.
    /// - Returns: false when that process ended instead.
    package static func awaitAdmission() -> Bool { nextByte() != nil }

    /// Waits for a byte on standard input, and takes no more.
    /// - Returns: nil when the process at its other end has ended instead.
    package static func nextByte() -> UInt8? {
        var byte: UInt8 = 0
        while true {
            let count = read(STDIN_FILENO, &byte, 1)
            if count >= 0 || errno != EINTR { return count == 1 ? byte : nil }
        }
    }

    /// Becomes the other program, if this process is such a self-exec. Call it before anything else.
    package static func execIfAsked() {
        let arguments = CommandLine.arguments
        guard arguments.count > 3, arguments[1] == word, let parent = pid_t(arguments[2]) else { return }
        coord_die_with_parent()
        // The parent may have died before the request for the signal.
        guard getppid() == parent else { exit(1) }
        let command = arguments[3...].map { strdup($0) } + [nil]
        if let program = command[0] { execvp(program, command) }
        let reason = "cannot start \(arguments[3]): \(String(cString: strerror(errno)))\n"
        _ = reason.withCString { write(STDERR_FILENO, $0, strlen($0)) }
        exit(127)
    }
}
