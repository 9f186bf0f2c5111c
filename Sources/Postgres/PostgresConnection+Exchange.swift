import CLibPQ
import Glibc

// How statements go out and answers come in. libpq never blocks here: every wait is a `poll` with a limit, which begins anew
// whenever bytes arrive or leave, so that it bounds the silence and not the work.
extension PostgresConnection {
    /// Milliseconds between two looks at what a TLS library or GSSAPI may have taken from the socket for itself, where it
    /// does not tell.
    private static let blindLook: Int32 = 50

    /// The next result of the statement whose turn it is; nil after its last one. Not for a connection that was given up
    /// because of COPY, which libpq has results of without end.
    @inline(__always)
    func next() throws(PostgresError) -> OpaquePointer? {
        if PQisBusy(raw) != 0 { try awaitAnswer() }
        return PQgetResult(raw)
    }

    /// All results of what was sent, of which the last counts, as for `PQexec`. An error comes before everything else.
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

    /// Sends what libpq still holds.
    func flush() throws(PostgresError) {
        // Less than zero: it is broken, and reading says why.
        while PQflush(raw) > 0 {
            guard try pause(for: POLLIN | POLLOUT) else { return }
        }
    }

    /// Waits until `PQgetResult` gives something without waiting.
    private func awaitAnswer() throws(PostgresError) {
        while PQisBusy(raw) != 0 {
            let isUnsent = PQflush(raw) > 0
            guard try pause(for: isUnsent ? POLLIN | POLLOUT : POLLIN) else {
                // What came before the end may be the server's reason for it.
                if PQisBusy(raw) == 0 { return }
                throw giveUp(lastError.message)
            }
        }
    }

    /// Waits until bytes can be moved, and takes in those that have come.
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
        // Also when it can only be written: then this reads nothing, and sends.
        return PQconsumeInput(raw) == 1
    }

    private var silence: String {
        "the server has said nothing for \(silenceLimit.inSeconds): the connection was given up"
    }

    static let interruption = "the connection was given up, since this process ends"

    /// Makes the connection a dead one, for good. Its socket is shut down, so that nothing waits for it any more: neither
    /// the server nor `PQfinish`.
    func giveUp(_ message: String, sqlState: String? = nil) -> PostgresError {
        let socket = PQsocket(raw)
        // The descriptor stays libpq's own.
        if socket >= 0 { shutdown(socket, Int32(SHUT_RDWR)) }
        let error = PostgresError(sqlState: sqlState, message: message)
        broken = PostgresError(sqlState: nil, message: message)
        return error
    }
}
