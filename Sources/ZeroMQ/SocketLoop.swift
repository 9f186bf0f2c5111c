import CZeroMQ
import Glibc
import Host

/// The one thread of a process that creates, polls and closes its sockets. It is also the executor of the actor that
/// owns them.
///
/// The thread waits in `zmq_poll` for its sockets, for other file descriptors, and for an eventfd that other threads
/// write to when they hand it jobs. `ZMQ_FD` is edge-triggered and is never polled from outside.
///
/// `@unchecked Sendable` because `queue` is only touched under `mutex`, and everything else only on the thread.
public final class SocketLoop: SerialExecutor, @unchecked Sendable {
    private struct Watch {
        var socket: UnsafeMutableRawPointer?
        var descriptor: Int32 = 0
        /// The handler is called once, when the socket can send, and not whenever a message has come.
        var isForSending = false
        var handler: () -> Void
    }

    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private var queue: [UnownedJob] = []
    private let wake: Int32
    private let name: String
    private let tickInterval: Int
    private var thread = pthread_t()
    private var context: UnsafeMutableRawPointer?
    private var watches: [Watch] = []
    private var tick: (() -> Void)?

    /// Stack of the thread in bytes.
    private static let stackSize = 1 << 20

    /// - Parameter tickInterval: milliseconds between two calls of `onTick` when nothing else happens.
    public init(name: String, tickInterval: Int = 25) {
        wake = coord_eventfd()
        self.tickInterval = tickInterval
        self.name = name
        guard wake >= 0 else { Self.endProcess("open files", errno, "ulimit -n") }
        pthread_mutex_init(mutex, nil)
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
                Unmanaged<SocketLoop>.fromOpaque(argument).takeUnretainedValue().loop()
                return nil
            }, unmanaged.toOpaque())
        guard status == 0 else { Self.endProcess("threads", status, "ulimit -u") }
        pthread_mutex_unlock(mutex)
        pthread_attr_destroy(&attributes)
    }

    /// The process cannot work without the loop, and a trap would not tell anybody which limit is too low.
    private static func endProcess(_ what: String, _ code: Int32, _ limit: String) -> Never {
        let reason = String(cString: strerror(code))
        let text =
            "coord: the system gives this process no more \(what): \(reason)\n  \(limit)   shows the limit; raise it\n"
        _ = text.withCString { write(STDERR_FILENO, $0, strlen($0)) }
        exit(1)
    }

    // MARK: - SerialExecutor

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        pthread_mutex_lock(mutex)
        let first = queue.isEmpty
        queue.append(job)
        pthread_mutex_unlock(mutex)
        guard first else { return }
        var one: UInt64 = 1
        _ = write(wake, &one, MemoryLayout<UInt64>.size)
    }

    public func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    /// Handlers run on the thread outside of any job, and enter their actor by `assumeIsolated`.
    public func checkIsolated() {
        precondition(pthread_equal(pthread_self(), thread) != 0, "called from another thread than the socket loop's")
    }

    // MARK: - On the thread

    /// Makes a socket. Call it on the loop's thread, that is, in the actor that owns the sockets.
    public func makeSocket(_ kind: ZeroMQSocket.Kind) throws(ZeroMQError) -> ZeroMQSocket {
        checkIsolated()
        // Made at the first socket, so that children can be spawned before the context's threads exist.
        if context == nil {
            try LibraryNeeds.check()
            context = zmq_ctx_new()
            // Otherwise a message of 34 bytes keeps the buffer of 8 KiB that it came in.
            zmq_ctx_set(context, Int32(COORD_ZMQ_ZERO_COPY_RECV), 0)
        }
        guard let context else { throw ZeroMQError("zmq_ctx_new") }
        return try ZeroMQSocket(context: context, kind: kind)
    }

    /// Calls `handler` on the thread whenever the socket has messages.
    public func watch(_ socket: ZeroMQSocket, _ handler: @escaping () -> Void) {
        checkIsolated()
        watches.append(Watch(socket: socket.raw, handler: handler))
    }

    /// Calls `handler` on the thread once, as soon as the socket has a peer that takes messages.
    public func whenConnected(_ socket: ZeroMQSocket, _ handler: @escaping () -> Void) {
        checkIsolated()
        watches.append(Watch(socket: socket.raw, isForSending: true, handler: handler))
    }

    /// Calls `handler` on the thread whenever the descriptor can be read, or has come to its end.
    public func watch(descriptor: Int32, _ handler: @escaping () -> Void) {
        checkIsolated()
        watches.append(Watch(socket: nil, descriptor: descriptor, handler: handler))
    }

    public func unwatch(_ socket: ZeroMQSocket) {
        checkIsolated()
        watches.removeAll { $0.socket == socket.raw }
    }

    public func unwatch(descriptor: Int32) {
        checkIsolated()
        watches.removeAll { $0.socket == nil && $0.descriptor == descriptor }
    }

    /// Calls `handler` on the thread at least every `tickInterval`.
    public func onTick(_ handler: @escaping () -> Void) {
        checkIsolated()
        tick = handler
    }

    /// Drops all handlers and ends the context; every socket must be closed. Waits for queued messages as long as the
    /// sockets' linger allows.
    public func terminate() {
        checkIsolated()
        watches.removeAll()
        tick = nil
        if let context { zmq_ctx_term(context) }
        context = nil
    }

    /// Waits until one of the sockets has a message, and calls no handler meanwhile.
    func wait(for sockets: [ZeroMQSocket], milliseconds: Int) {
        checkIsolated()
        var items = sockets.map { zmq_pollitem_t(socket: $0.raw, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0) }
        zmq_poll(&items, Int32(items.count), milliseconds)
    }

    private func loop() {
        ThreadExecutor.nameThread(name)
        pthread_mutex_lock(mutex)
        pthread_mutex_unlock(mutex)
        var jobs: [UnownedJob] = []
        var ticked = MonotonicTime.milliseconds()
        while true {
            poll()
            pthread_mutex_lock(mutex)
            swap(&jobs, &queue)
            pthread_mutex_unlock(mutex)
            for job in jobs { job.runSynchronously(on: asUnownedSerialExecutor()) }
            jobs.removeAll(keepingCapacity: true)
            let now = MonotonicTime.milliseconds()
            if now - ticked >= Int64(tickInterval) {
                ticked = now
                tick?()
            }
        }
    }

    private func poll() {
        var items = [zmq_pollitem_t(socket: nil, fd: wake, events: Int16(ZMQ_POLLIN), revents: 0)]
        let current = watches
        for watch in current {
            items.append(
                zmq_pollitem_t(
                    socket: watch.socket, fd: watch.descriptor,
                    events: Int16(watch.isForSending ? ZMQ_POLLOUT : ZMQ_POLLIN), revents: 0))
        }
        let ready = zmq_poll(&items, Int32(items.count), tickInterval)
        guard ready > 0 else { return }
        if items[0].revents != 0 {
            var count: UInt64 = 0
            _ = read(wake, &count, MemoryLayout<UInt64>.size)
        }
        for (index, watch) in current.enumerated() where items[index + 1].revents != 0 {
            if watch.isForSending { watches.removeAll { $0.socket == watch.socket && $0.isForSending } }
            watch.handler()
        }
    }
}
