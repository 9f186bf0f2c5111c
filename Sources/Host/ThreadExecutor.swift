import CHost
import Glibc

/// Runs an actor's jobs on one dedicated thread, so that blocking calls never occupy Swift's cooperative pool.
///
/// The thread lives as long as the process: a process makes one executor for each connection that it keeps. `@unchecked
/// Sendable` because `queue` is only touched under `mutex`.
package final class ThreadExecutor: SerialExecutor, @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var queue: [UnownedJob] = []
    private let name: String
    private var thread = pthread_t()

    /// Stack of the thread in bytes: libpq with TLS and GSSAPI needs less than a quarter of it.
    package static let stackSize = 1 << 20

    package init(name: String) {
        self.name = name
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setstacksize(&attributes, Self.stackSize)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        let unmanaged = Unmanaged.passRetained(self)
        // The new thread waits for this lock, so that `thread` is set before the thread reads it.
        pthread_mutex_lock(mutex)
        let status = pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument else { return nil }
                Unmanaged<ThreadExecutor>.fromOpaque(argument).takeUnretainedValue().loop()
                return nil
            }, unmanaged.toOpaque())
        guard status == 0 else { Self.endProcess(status) }
        pthread_mutex_unlock(mutex)
        pthread_attr_destroy(&attributes)
    }

    /// The process cannot work without the thread, and a trap would not tell anybody which limit is too low.
    private static func endProcess(_ status: Int32) -> Never {
        let reason = String(cString: strerror(status))
        let text =
            "coord: a thread cannot be made: \(reason)\n  ulimit -u   shows how many this user may have; raise it\n"
        _ = text.withCString { write(STDERR_FILENO, $0, strlen($0)) }
        exit(1)
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        pthread_mutex_lock(mutex)
        queue.append(job)
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }

    package func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        UnownedSerialExecutor(ordinary: self)
    }

    package func checkIsolated() {
        precondition(pthread_equal(pthread_self(), thread) != 0, "called from another thread than \(name)'s")
    }

    /// Names the calling thread, for people who use `top -H`.
    package static func nameThread(_ name: String) { coord_name_thread(name) }

    private func loop() {
        Self.nameThread(name)
        var jobs: [UnownedJob] = []
        while true {
            pthread_mutex_lock(mutex)
            while queue.isEmpty { pthread_cond_wait(condition, mutex) }
            swap(&jobs, &queue)
            pthread_mutex_unlock(mutex)
            for job in jobs { job.runSynchronously(on: asUnownedSerialExecutor()) }
            jobs.removeAll(keepingCapacity: true)
        }
    }
}
