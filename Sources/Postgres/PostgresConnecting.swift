import CLibPQ
import Glibc
import Host

/// Opens a connection, with a limit on the time of each address.
///
/// libpq tries the hosts and addresses in turn. The waits are here, since libpq has no limit in its non-blocking mode.
struct PostgresConnecting {
    /// How long one address may take to accept the session, if neither the conninfo nor `PGCONNECT_TIMEOUT` has a
    /// limit. libpq's default is to wait for ever.
    static let addressLimit = Duration.seconds(10)
    /// Milliseconds that sent data may stay unacknowledged before the connection counts as dead.
    static let userTimeout = "30000"

    private let settings: PostgresConnection.Settings
    /// The errors of hosts that are not tried any more.
    private var earlier: [String] = []

    init(_ settings: PostgresConnection.Settings) { self.settings = settings }

    private enum Outcome {
        case connected
        case failed(PostgresError)
        /// The host took the connection and said nothing. libpq would wait on, so a new attempt asks it for the hosts
        /// behind this one.
        case silent(ServerList?, String)
    }

    /// - Throws: `PostgresError`: its `sqlState` is nil when the server is away, and F0000 when the settings are at
    ///   fault.
    mutating func connect() throws(PostgresError) -> OpaquePointer {
        if let conninfo = settings.conninfo { try Self.checkSyntax(conninfo) }
        var servers: ServerList?
        // Each turn has fewer hosts than the turn before, so the loop ends.
        while true {
            guard let raw = start(servers) else {
                throw PostgresError(sqlState: nil, message: "out of memory in libpq")
            }
            // A verbose refusal holds the SQLSTATE, which does not depend on the server's language.
            PQsetErrorVerbosity(raw, PQERRORS_VERBOSE)
            // Notices are for people at a psql prompt.
            PQsetNoticeReceiver(raw, { _, _ in }, nil)
            switch complete(raw) {
            case .connected:
                PQsetErrorVerbosity(raw, PQERRORS_DEFAULT)
                return raw
            case .failed(let error):
                PQfinish(raw)
                throw error
            case .silent(let behind, let message):
                PQfinish(raw)
                earlier.append(message)
                guard let behind else { throw failure("", nil) }
                servers = behind
            }
        }
    }

    /// libpq takes a text that is no URI and has no "=" for the name of a database.
    private static func checkSyntax(_ conninfo: String) throws(PostgresError) {
        let isURI = conninfo.hasPrefix("postgresql://") || conninfo.hasPrefix("postgres://")
        guard isURI || conninfo.utf8.contains(UInt8(ascii: "=")) else { return }
        var message: UnsafeMutablePointer<CChar>?
        if let options = PQconninfoParse(conninfo, &message) { return PQconninfoFree(options) }
        defer { PQfreemem(message) }
        throw PostgresError(
            sqlState: ConnectFailure.badSettings, message: "cannot connect: \(PostgresConnection.text(message))")
    }

    private func start(_ servers: ServerList?) -> OpaquePointer? {
        var options: [(String, String)] = []
        // First, so that the other options complete it. libpq expands it, since it is a whole conninfo.
        if let conninfo = settings.conninfo { options.append(("dbname", conninfo)) }
        options += [
            ("fallback_application_name", "coord"), ("application_name", settings.applicationName),
            ("client_encoding", "UTF8"), ("keepalives", "1"), ("keepalives_idle", "15"), ("keepalives_interval", "5"),
            ("keepalives_count", "3"), ("tcp_user_timeout", Self.userTimeout),
        ]
        options += servers?.options ?? []
        return Self.withCStrings(options.map(\.0)) { keywords in
            Self.withCStrings(options.map(\.1)) { values in PQconnectStartParams(keywords, values, 1) }
        }
    }

    private func complete(_ raw: OpaquePointer) -> Outcome {
        guard PQstatus(raw) != CONNECTION_BAD else { return .failed(failure(of: raw)) }
        let options = ServerList.options(of: raw)
        guard let limit = Self.limit(options["connect_timeout"] ?? "", else: settings.silenceLimit) else {
            return .failed(
                failure("invalid integer value for connection option \"connect_timeout\"", ConnectFailure.badSettings))
        }
        var status = PGRES_POLLING_WRITING
        var address = ""
        var deadline: Int64 = 0
        var shutDown: String?
        while true {
            let current = Self.address(of: raw)
            if current != address {
                address = current
                deadline = MonotonicTime.milliseconds() + Int64(limit.pollLimit)
            }
            let left = Int32(clamping: max(0, deadline - MonotonicTime.milliseconds()))
            let events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT
            switch SocketWait.wait(PQsocket(raw), for: events, limit: left, interrupt: settings.interrupt) {
            case .ready: break
            case .interrupted: return .failed(failure(PostgresConnection.interruption, nil))
            case .silent where PQstatus(raw) == CONNECTION_STARTED && shutDown != current:
                // The address has not answered: libpq sees the shut socket as a failure and goes on to the next address
                // by itself.
                shutDown = current
                shutdown(PQsocket(raw), Int32(SHUT_RDWR))
            case .silent:
                let name = Self.name(of: raw)
                let silence = "connection to server at \(name) failed: it has said nothing for \(limit.inSeconds)"
                return .silent(ServerList(options, behind: raw), silence)
            }
            status = PQconnectPoll(raw)
            if status == PGRES_POLLING_OK { return .connected }
            guard status != PGRES_POLLING_FAILED else {
                return .failed(failure(of: raw, silent: shutDown == nil ? nil : limit))
            }
        }
    }

    /// How long an address may take: the user's limit if there is one. Zero means for ever to libpq; here it means as
    /// long as any silence.
    private static func limit(_ timeout: String, else silenceLimit: Duration) -> Duration? {
        let digits = timeout.filter { !$0.isWhitespace }
        if digits.isEmpty { return addressLimit }
        guard let seconds = Int32(digits) else { return nil }
        return seconds > 0 ? .seconds(seconds) : silenceLimit
    }

    private static func address(of raw: OpaquePointer) -> String {
        [PQhost(raw), PQhostaddr(raw), PQport(raw)].map { $0.map { String(cString: $0) } ?? "" }.joined(separator: " ")
    }

    private static func name(of raw: OpaquePointer) -> String {
        func text(_ value: UnsafeMutablePointer<CChar>?) -> String { value.map { String(cString: $0) } ?? "" }
        return "\"\(text(PQhost(raw)))\", port \(text(PQport(raw)))"
    }

    // MARK: - Failures

    private func failure(of raw: OpaquePointer, silent limit: Duration? = nil) -> PostgresError {
        var text = PostgresConnection.text(PQerrorMessage(raw))
        if let limit {
            // The system's words for the shut socket.
            text = text.replacing(String(cString: strerror(ECONNRESET)), with: "no answer for \(limit.inSeconds)")
        }
        let refusal = ConnectFailure(
            text, isAttempted: PQhost(raw).map { $0.pointee != 0 } ?? false,
            needsPassword: PQconnectionNeedsPassword(raw) == 1)
        return failure(refusal.message, refusal.sqlState)
    }

    private func failure(_ message: String, _ sqlState: String?) -> PostgresError {
        let messages = (earlier + [message]).filter { !$0.isEmpty }
        return PostgresError(sqlState: sqlState, message: "cannot connect: \(messages.joined(separator: "\n"))")
    }

    private static func withCStrings<R>(
        _ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> R
    ) -> R {
        let bytes = strings.map { Array($0.utf8CString) }
        let flat = bytes.flatMap { $0 }
        return flat.withUnsafeBufferPointer { buffer in
            var offset = 0
            var pointers: [UnsafePointer<CChar>?] = []
            for item in bytes {
                pointers.append(buffer.baseAddress.map { $0 + offset })
                offset += item.count
            }
            pointers.append(nil)
            return body(pointers)
        }
    }
}
