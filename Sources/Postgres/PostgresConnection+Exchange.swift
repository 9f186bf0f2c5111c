import CLibPQ
import Glibc

// How statements go out and answers come in. libpq never blocks here: every wait is a `poll` with a limit. The limit
// begins anew whenever bytes arrive or leave, so it bounds the silence and not the work.
extension PostgresConnection {
    /// Milliseconds between two looks for bytes that a TLS library or GSSAPI has read from the socket but not handed
    /// on. `poll` does not see these bytes.
    private static let blindLook: Int32 = 50

    /// The next result of the current statement; nil after its last one. Never call it after COPY: libpq then gives
    /// results without end.
    @inline(__always)
    func next() throws(PostgresError) -> OpaquePointer? {
        if PQisBusy(raw) != 0 { try awaitAnswer() }
        return PQgetResult(raw)
    }

    /// Reads all results and returns the last one, as `PQexec` does. An error comes before everything else.
    func outcome() throws(PostgresError) -> PostgresResult {
        var last: PostgresResult?
        var failure: PostgresError?
        while true {
            let result: OpaquePointer?
            do { result = try next() } catch { throw failure ?? error }
            guard let result else { break }
            do { last = try check(result) } catch {
                failure = failure ?? error
                if broken != nil { break }
            }
        }
        if let failure { throw failure }
        guard let last else { throw lastError }
        return last
    }

    /// Sends the bytes that libpq still holds.
    func flush() throws(PostgresError) {
        // Less than zero: the connection is broken, and the next read says why.
        while PQflush(raw) > 0 {
            guard try pause(for: POLLIN | POLLOUT) else { return }
        }
    }

    /// Waits until `PQgetResult` gives something without waiting.
    private func awaitAnswer() throws(PostgresError) {
        while PQisBusy(raw) != 0 {
            let isUnsent = PQflush(raw) > 0
            guard try pause(for: isUnsent ? POLLIN | POLLOUT : POLLIN) else {
                // Bytes from before the end may hold the server's reason.
                if PQisBusy(raw) == 0 { return }
                throw giveUp(lastError.message)
            }
        }
    }

    /// Waits until bytes can be sent or received, and takes in the received ones.
    /// - Returns: false when the connection has come to its end.
    private func pause(for events: Int32) throws(PostgresError) -> Bool {
        if let broken { throw broken }
        var limit = silenceLimit.pollLimit - blindSilence
        var isBlind = false
        if isEncrypted {
            let pending = coord_pq_ssl_pending(raw)
            if pending > 0 { return PQconsumeInput(raw) == 1 }
            isBlind = pending < 0
        }
        if isBlind { limit = min(limit, Self.blindLook) }
        switch SocketWait.wait(PQsocket(raw), for: events, limit: limit, interrupt: interrupt) {
        case .ready: blindSilence = 0
        case .interrupted: throw giveUp(Self.interruption)
        case .silent:
            blindSilence += limit
            guard isBlind, blindSilence < silenceLimit.pollLimit else { throw giveUp(silence) }
        }
        // Also when the socket is only writable: then this call reads nothing, and sends.
        return PQconsumeInput(raw) == 1
    }

    private var silence: String {
        "the server has said nothing for \(silenceLimit.inSeconds): the connection was given up"
    }

    static let interruption = "the connection was given up, since this process ends"

    /// Makes the connection dead for good. Its socket is shut down, so that neither the server nor `PQfinish` waits for
    /// it.
    func giveUp(_ message: String, sqlState: String? = nil) -> PostgresError {
        let socket = PQsocket(raw)
        // Shut down but not closed: the descriptor belongs to libpq.
        if socket >= 0 { shutdown(socket, Int32(SHUT_RDWR)) }
        let error = PostgresError(sqlState: sqlState, message: message)
        broken = PostgresError(sqlState: nil, message: message)
        return error
    }
}
