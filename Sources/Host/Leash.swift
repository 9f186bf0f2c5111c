import CHost
import Glibc

/// Starts a program so that the kernel kills it when the process that started it dies, however it dies.
///
/// `posix_spawn` cannot ask for that, so this program is started in between: it asks for itself, and then becomes the
/// other program.
package enum Leash {
    private static let word = "exec-on-leash"

    /// What to start this program with, to become `command`.
    package static func arguments(_ command: [String]) -> [String] { [word, "\(getpid())"] + command }

    /// Waits until the process that holds the other end of standard input admits this one, by a byte.
    /// - Returns: false when it ended instead.
    package static func awaitAdmission() -> Bool {
        var byte: UInt8 = 0
        while true {
            let count = read(STDIN_FILENO, &byte, 1)
            if count >= 0 || errno != EINTR { return count == 1 }
        }
    }

    /// Becomes the other program, when this process was started for that. Call it first thing.
    package static func execIfAsked() {
        let arguments = CommandLine.arguments
        guard arguments.count > 3, arguments[1] == word, let parent = pid_t(arguments[2]) else { return }
        coord_die_with_parent()
        // It may have died before it could be noticed.
        guard getppid() == parent else { exit(1) }
        let command = arguments[3...].map { strdup($0) } + [nil]
        if let program = command[0] { execvp(program, command) }
        let reason = "cannot start \(arguments[3]): \(String(cString: strerror(errno)))\n"
        _ = reason.withCString { write(STDERR_FILENO, $0, strlen($0)) }
        exit(127)
    }
}
