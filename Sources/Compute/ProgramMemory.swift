import Glibc
import Host
import Synchronization

/// The memory of the running compute program, readable from any thread.
package final class ProgramMemory: Sendable {
    /// 0 while none runs.
    private let pid = Atomic<pid_t>(0)

    package init() {}

    /// Notes the program's process. Called with nil before the process is reaped, so that the pid cannot belong to
    /// another process.
    func follow(_ program: pid_t?) { pid.store(program ?? 0, ordering: .relaxed) }

    /// Resident bytes of the program and of its direct children; 0 when none runs.
    package var residentBytes: Int64 {
        let program = pid.load(ordering: .relaxed)
        return program > 0 ? ProcessMemory.residentWithChildren(program) : 0
    }
}
