import CLibPQ
import Glibc
import Host

/// Cancels the running statement of a connection from any thread.
///
/// `@unchecked Sendable` because libpq documents `PQcancel` as safe from any thread.
public final class PostgresCancel: @unchecked Sendable {
    /// How long `cancel` waits for the server to take the request.
    public static let patience = Duration.seconds(5)

    private let raw: OpaquePointer
    init(_ raw: OpaquePointer) { self.raw = raw }
    deinit { PQfreeCancel(raw) }

    /// Asks the server to cancel; the statement then ends with SQLSTATE 57014, or has ended already.
    ///
    /// libpq opens a connection for the request and waits without a limit until the server closes it. So a thread sends
    /// the request. A thread without an answer after `patience` is left behind; it ends with that connection.
    /// - Returns: whether the server has taken the request.
    @discardableResult
    public func cancel() -> Bool {
        let request = Request(self)
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        pthread_attr_setstacksize(&attributes, ThreadExecutor.stackSize)
        var thread = pthread_t()
        let unmanaged = Unmanaged.passRetained(request)
        let status = pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Request>.fromOpaque(argument).takeRetainedValue().send()
                return nil
            }, unmanaged.toOpaque())
        guard status == 0 else {
            unmanaged.release()
            return false
        }
        return request.outcome(within: Self.patience)
    }

    /// One request, shared by the sending thread and the waiting thread.
    private final class Request {
        private let cancel: PostgresCancel
        private var ends: [Int32] = [-1, -1]

        init(_ cancel: PostgresCancel) {
            self.cancel = cancel
            guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
                ends = [-1, -1]
                return
            }
        }

        deinit { for end in ends where end >= 0 { close(end) } }

        func send() {
            var reason = [CChar](repeating: 0, count: 256)
            var taken: UInt8 = PQcancel(cancel.raw, &reason, Int32(reason.count)) == 1 ? 1 : 0
            // The waiting thread may have left already.
            _ = Glibc.send(ends[1], &taken, 1, Int32(MSG_NOSIGNAL))
        }

        func outcome(within limit: Duration) -> Bool {
            guard ends[0] >= 0,
                SocketWait.wait(ends[0], for: POLLIN, limit: limit.pollLimit, interrupt: nil) == .ready
            else { return false }
            var taken: UInt8 = 0
            return read(ends[0], &taken, 1) == 1 && taken == 1
        }
    }
}
