import Glibc

/// SIGHUP: the terminal is gone.
package enum Hangup {
    /// Whether this process was started to outlive its terminal, as by `nohup`. Ask before anything handles the signal.
    package static var isIgnored: Bool {
        var action = sigaction()
        guard sigaction(SIGHUP, nil, &action) == 0 else { return false }
        // SIG_IGN is the address 1.
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
    }
}
