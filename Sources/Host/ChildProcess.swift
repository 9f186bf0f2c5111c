import CHost
import Glibc

/// Starts programs without a shell, each in a new process group.
package enum ChildProcess {
    /// - Parameters:
    ///   - program: a path, or a name that is looked up in `PATH`.
    ///   - arguments: the arguments without the program's name.
    ///   - environment: variables that are added to this process's environment.
    ///   - without: names of this process's variables that the program does not get.
    ///   - directory: the folder in which the program starts; nil for this process's folder.
    ///   - streams: descriptors that become standard input, output and error; nil keeps this process's streams.
    package static func spawn(
        _ program: String, arguments: [String], environment: [String: String] = [:], without: Set<String> = [],
        directory: String? = nil,
        streams: (input: Int32?, output: Int32?, error: Int32?)
    ) throws(ChildProcessError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (number, descriptor) in [streams.input, streams.output, streams.error].enumerated() {
            guard let descriptor else { continue }
            posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(number))
        }
        if let directory { posix_spawn_file_actions_addchdir_np(&actions, directory) }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The new group keeps a Ctrl-C from the child: this process alone gets it, and ends its children in order.
        posix_spawnattr_setpgroup(&attributes, 0)
        var unblocked = sigset_t()
        sigemptyset(&unblocked)
        posix_spawnattr_setsigmask(&attributes, &unblocked)
        var defaults = sigset_t()
        sigemptyset(&defaults)
        for signal in [SIGPIPE, SIGINT, SIGTERM] { sigaddset(&defaults, signal) }
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        let argv = ([program] + arguments).map { strdup($0) } + [nil]
        let envp = variables(adding: environment, without: without).map { strdup($0) } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        var pid = pid_t()
        let code = posix_spawnp(&pid, program, &actions, &attributes, argv, envp)
        guard code == 0 else { throw ChildProcessError(code: code) }
        return pid
    }

    private static func variables(adding environment: [String: String], without: Set<String>) -> [String] {
        var inherited: [String] = []
        var entry = environ
        while let text = entry.pointee {
            let line = String(cString: text)
            let name = String(line.prefix { $0 != "=" })
            if environment[name] == nil, !without.contains(name) { inherited.append(line) }
            entry += 1
        }
        return inherited + environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    }

    /// A descriptor that becomes readable when the child ends; -1 if the kernel gives none.
    package static func exitDescriptor(of child: pid_t) -> Int32 { coord_pidfd_open(child) }

    /// The status that `waitpid` gave, in words: how a process ended.
    package static func describe(status: Int32) -> String {
        let signal = status & 0x7F
        return signal == 0 ? "exit status \((status >> 8) & 0xFF)" : "killed by signal \(signal)"
    }
}
