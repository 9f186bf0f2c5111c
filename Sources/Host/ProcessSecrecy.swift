import CHost
import Glibc

/// Keeps a process's memory to itself, once it has a secret.
package enum ProcessSecrecy {
    /// From now on there is no core dump of this process, whatever the system's settings, and no other process of this user
    /// can read its memory or its environment. Programs that it starts are as they would be.
    package static func begin() {
        #if DEBUG
            // Tests of a user other than root find processes by their environment.
            if getenv("COORD_TEST_SHOWN") != nil { return }
        #endif
        coord_hide_memory()
    }
}
