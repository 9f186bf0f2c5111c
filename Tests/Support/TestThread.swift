import Glibc
import Synchronization

/// A thread for a test whose calls block: on the server, on a process, on a lock.
///
/// Swift's own pool has one thread for each core. Two blocked tests would hold up all others, including those that they
/// wait for. `@unchecked Sendable` because of the semaphore, which any thread may use.
final class TestThread: TaskExecutor, @unchecked Sendable {
    private let jobs = Mutex<[UnownedJob]>([])
    /// The number of queued jobs. The semaphore lives as long as its thread, which is as long as the process.
    private let count = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() {
        sem_init(count, 0, 0)
        var thread = pthread_t()
        let unmanaged = Unmanaged.passRetained(self)
        let status = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<TestThread>.fromOpaque(argument).takeUnretainedValue().loop()
                return nil
            }, unmanaged.toOpaque())
        precondition(status == 0, "no thread for a test: \(status)")
        pthread_detach(thread)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.withLock { $0.append(job) }
        sem_post(count)
    }

    private func loop() {
        while true {
            // A signal may end the wait early. Then there may be no job.
            sem_wait(count)
            let job = jobs.withLock { $0.isEmpty ? nil : $0.removeFirst() }
            job?.runSynchronously(on: asUnownedTaskExecutor())
        }
    }
}
