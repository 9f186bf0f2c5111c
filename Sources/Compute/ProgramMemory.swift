import Glibc
import Host
import Synchronization

/// The memory of the compute program that runs now, for whoever asks, on any thread.
package final class ProgramMemory: Sendable {
    /// 0 while none runs.
    private let pid = Atomic<pid_t>(0)

    package init() {}

    /// Notes which process is the program. Called with nil before the process is waited for, so that its number cannot be
    /// another's by then.
    func follow(_ program: pid_t?) { pid.store(program ?? 0, ordering: .relaxed) }

    /// Resident bytes of the program and of the processes that it has started itself; 0 when none runs.
    package var residentBytes: Int64 {
        let program = pid.load(ordering: .relaxed)
        return program > 0 ? ProcessMemory.residentWithChildren(program) : 0
    }
}
