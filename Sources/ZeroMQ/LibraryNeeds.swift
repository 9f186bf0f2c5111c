import CZeroMQ
import Glibc

/// The threads and descriptors that libzmq takes for its first socket. Without them it aborts the process without a
/// message, so this checks for them first.
enum LibraryNeeds {
    /// libzmq's reaper, its I/O thread, and one thread to spare for other processes of this user.
    static let threads = 3
    /// An epoll and an eventfd for each thread, one eventfd each for the socket, the terminator and the loop's first
    /// commands, and some to spare.
    static let descriptors = 12

    /// - Throws: `ZeroMQError` when the system lacks the threads or descriptors now.
    static func check() throws(ZeroMQError) {
        try checkDescriptors()
        try checkThreads()
    }

    private static func checkDescriptors() throws(ZeroMQError) {
        var taken: [Int32] = []
        defer { for descriptor in taken { close(descriptor) } }
        while taken.count < descriptors {
            let descriptor = coord_eventfd()
            guard descriptor >= 0 else {
                throw ZeroMQError("no more files can be opened (ulimit -n shows the limit)", code: errno)
            }
            taken.append(descriptor)
        }
    }

    /// All threads live at the same time, until the gate opens.
    private static func checkThreads() throws(ZeroMQError) {
        let gate = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
        pthread_mutex_init(gate, nil)
        pthread_mutex_lock(gate)
        var made: [pthread_t] = []
        var status: Int32 = 0
        while made.count < threads, status == 0 {
            var thread = pthread_t()
            status = pthread_create(
                &thread, nil,
                { gate in
                    guard let gate = gate?.assumingMemoryBound(to: pthread_mutex_t.self) else { return nil }
                    pthread_mutex_lock(gate)
                    pthread_mutex_unlock(gate)
                    return nil
                }, gate)
            if status == 0 { made.append(thread) }
        }
        pthread_mutex_unlock(gate)
        for thread in made { pthread_join(thread, nil) }
        pthread_mutex_destroy(gate)
        gate.deallocate()
        guard status == 0 else {
            throw ZeroMQError("no more threads can be made (ulimit -u shows the limit)", code: status)
        }
    }
}
