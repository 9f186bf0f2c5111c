import CLibPQ

/// One connection to PostgreSQL, blocking. It belongs to one thread: make it inside an actor on a `ThreadExecutor`.
///
/// Settings come as libpq finds them: the conninfo given, then the environment, the service file and the passfile.
public final class PostgresConnection {
    /// What to connect to, and as what.
    public struct Settings: Sendable, Equatable {
        /// A libpq URI or conninfo without a password; nil for the environment alone.
        public var conninfo: String?
        public var applicationName: String
        /// Statements that set up the session, run after every connect.
        public var setup: [String]

        public init(conninfo: String? = nil, applicationName: String, setup: [String] = []) {
            self.conninfo = conninfo
            self.applicationName = applicationName
            self.setup = setup
        }
    }

    /// Seconds to wait for a connection; libpq's own default is to wait for ever.
    static let connectTimeout = "10"
    /// Milliseconds that sent data may stay unacknowledged before the connection counts as dead.
    static let userTimeout = "30000"

    let raw: OpaquePointer
    private var prepared: Set<String> = []

    /// - Throws: `PostgresError` when the server cannot be reached or refuses.
    public init(_ settings: Settings) throws(PostgresError) {
        var keywords = [
            "fallback_application_name", "application_name", "connect_timeout", "client_encoding", "keepalives",
            "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout",
        ]
        var values = [
            "coord", settings.applicationName, Self.connectTimeout, "UTF8", "1", "15", "5", "3", Self.userTimeout,
        ]
        if let conninfo = settings.conninfo {
            // First, so that the rest completes it; expanded, since it is a whole conninfo.
            keywords.insert("dbname", at: 0)
            values.insert(conninfo, at: 0)
        }
        let connection = Self.withCStrings(keywords) { keywords in
            Self.withCStrings(values) { values in PQconnectdbParams(keywords, values, 1) }
        }
        guard let connection else { throw PostgresError(sqlState: nil, message: "out of memory in libpq") }
        raw = connection
        guard PQstatus(connection) == CONNECTION_OK else {
            let message = Self.text(PQerrorMessage(connection))
            throw PostgresError(sqlState: Self.connectState(message), message: "cannot connect: \(message)")
        }
        // Notices are for people at a psql prompt.
        PQsetNoticeReceiver(connection, { _, _ in }, nil)
        // All of them in one round trip.
        if !settings.setup.isEmpty { _ = try check(PQexec(connection, settings.setup.joined(separator: ";\n"))) }
    }

    deinit { PQfinish(raw) }

    /// libpq reports failed logins without an SQLSTATE, so the message must tell them from a server that is away.
    static func connectState(_ message: String) -> String? {
        let refusals = [
            "authentication failed", "no password supplied", "no pg_hba.conf entry", "permission denied for database",
        ]
        if refusals.contains(where: message.contains) { return "28000" }
        if message.contains("role \""), message.contains("does not exist") { return "28000" }
        if message.contains("database \""), message.contains("does not exist") { return "3D000" }
        if message.contains("definition of service") || message.contains("invalid URI")
            || message.contains("invalid connection option") || message.contains("percent-encoded")
            || message.contains("missing \"=\"")
        {
            // config_file_error: no retry helps.
            return "F0000"
        }
        return nil
    }

    // MARK: - Statements

    /// Runs one statement and waits for its result.
    @discardableResult
    public func execute(_ sql: String, _ parameters: [String?] = []) throws(PostgresError) -> PostgresResult {
        let list = PostgresParameters(parameters)
        let result = list.withLibPQ { count, values, lengths, formats in
            PQexecParams(raw, sql, count, nil, values, lengths, formats, 0)
        }
        return try check(result)
    }

    /// Runs a statement that was prepared under its name, or prepares it first.
    public func executePrepared(_ name: String, _ sql: String, _ parameters: PostgresParameters)
        throws(PostgresError) -> PostgresResult
    {
        try prepare(name, sql)
        let result = parameters.withLibPQ { count, values, lengths, formats in
            PQexecPrepared(raw, name, count, values, lengths, formats, 0)
        }
        return try check(result)
    }

    /// Prepares a statement once for the life of the connection.
    public func prepare(_ name: String, _ sql: @autoclosure () -> String) throws(PostgresError) {
        guard !prepared.contains(name) else { return }
        _ = try check(PQprepare(raw, name, sql(), 0, nil))
        prepared.insert(name)
    }

    /// Parses and analyses a statement without running it, and describes its columns.
    public func describe(_ sql: String) throws(PostgresError) -> PostgresResult {
        _ = try check(PQprepare(raw, "", sql, 0, nil))
        return try check(PQdescribePrepared(raw, ""))
    }

    /// Quotes an identifier by the server's rules.
    public func quote(identifier: String) throws(PostgresError) -> String {
        guard let quoted = PQescapeIdentifier(raw, identifier, identifier.utf8.count) else { throw lastError }
        defer { PQfreemem(quoted) }
        return String(cString: quoted)
    }

    // MARK: - Pipeline

    /// Enters pipeline mode: statements are sent without waiting, and every `sync` ends an implicit transaction.
    public func enterPipeline() throws(PostgresError) {
        guard PQenterPipelineMode(raw) == 1 else { throw lastError }
    }

    public func leavePipeline() throws(PostgresError) {
        guard PQexitPipelineMode(raw) == 1 else { throw lastError }
    }

    /// Sends a prepared statement; its result comes by `nextResult` in turn.
    public func send(prepared name: String, _ parameters: PostgresParameters) throws(PostgresError) {
        let sent = parameters.withLibPQ { count, values, lengths, formats in
            PQsendQueryPrepared(raw, name, count, values, lengths, formats, 0)
        }
        guard sent == 1 else { throw lastError }
    }

    public func sync() throws(PostgresError) {
        guard PQpipelineSync(raw) == 1 else { throw lastError }
    }

    /// Waits for the result of the statement whose turn it is, and reads it to its end. The error that it met is
    /// thrown after that, so the next call is for the next statement.
    public func nextResult() throws(PostgresError) -> PostgresResult {
        guard let first = PQgetResult(raw) else { throw lastError }
        while let more = PQgetResult(raw) { PQclear(more) }
        return try check(first)
    }

    /// Waits for the end of an implicit transaction that `sync` asked for.
    public func nextSync() throws(PostgresError) {
        guard let result = PQgetResult(raw) else { throw lastError }
        let status = PQresultStatus(result)
        guard status == PGRES_PIPELINE_SYNC else {
            _ = try check(result)
            return
        }
        PQclear(result)
    }

    /// Reads the result of the statement whose turn it is row by row, so that no more than a row is held by libpq.
    ///
    /// - Parameter body: called for each row; its return says whether further rows are wanted. Rows that are not are
    ///   read and dropped.
    public func forEachRow(_ body: (_ row: borrowing PostgresRow) -> Bool) throws(PostgresError) {
        guard PQsetSingleRowMode(raw) == 1 else { throw lastError }
        var wanted = true
        var failure: PostgresError?
        while let result = PQgetResult(raw) {
            switch PQresultStatus(result) {
            case PGRES_SINGLE_TUPLE:
                if wanted { wanted = body(PostgresRow(raw: result)) }
            case PGRES_TUPLES_OK: break
            default: failure = failure ?? error(of: result)
            }
            PQclear(result)
        }
        if let failure { throw failure }
    }

    // MARK: - State

    /// Whether a transaction block is open.
    public var isInTransaction: Bool { PQtransactionStatus(raw) == PQTRANS_INTRANS }
    public var isAlive: Bool { PQstatus(raw) == CONNECTION_OK }
    public var backendPID: Int32 { PQbackendPID(raw) }
    /// For example 150018.
    public var serverVersion: Int { Int(PQserverVersion(raw)) }

    /// A handle by which another thread may cancel the statement that runs now.
    public func cancelHandle() -> PostgresCancel? { PQgetCancel(raw).map(PostgresCancel.init) }

    // MARK: - Errors

    var lastError: PostgresError {
        let message = Self.text(PQerrorMessage(raw))
        return PostgresError(sqlState: nil, message: message.isEmpty ? "the connection was closed" : message)
    }

    private func check(_ result: OpaquePointer?) throws(PostgresError) -> PostgresResult {
        guard let result else { throw lastError }
        switch PQresultStatus(result) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_SINGLE_TUPLE, PGRES_EMPTY_QUERY: return PostgresResult(result)
        default:
            defer { PQclear(result) }
            throw error(of: result)
        }
    }

    private func error(of result: OpaquePointer) -> PostgresError {
        if PQresultStatus(result) == PGRES_PIPELINE_ABORTED {
            return PostgresError(sqlState: "25P02", message: "an earlier statement of the pipeline failed")
        }
        func field(_ code: Character) -> String? {
            guard let ascii = code.asciiValue, let text = PQresultErrorField(result, Int32(ascii)) else { return nil }
            return String(cString: text)
        }
        guard let message = field("M") else { return lastError }
        return PostgresError(
            sqlState: field("C"), message: message, detail: field("D"), hint: field("H"),
            position: field("P").flatMap { Int($0) })
    }

    private static func text(_ message: UnsafeMutablePointer<CChar>?) -> String {
        guard let message else { return "" }
        let text = String(cString: message)
        return String(text.reversed().drop(while: \.isWhitespace).reversed())
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

/// Cancels the running statement of a connection from any thread.
///
/// `@unchecked Sendable` because libpq documents `PQcancel` as safe from any thread.
public final class PostgresCancel: @unchecked Sendable {
    private let raw: OpaquePointer
    init(_ raw: OpaquePointer) { self.raw = raw }
    deinit { PQfreeCancel(raw) }

    /// Asks the server to cancel; the statement then ends with SQLSTATE 57014, or has ended already.
    public func cancel() {
        var reason = [CChar](repeating: 0, count: 256)
        PQcancel(raw, &reason, Int32(reason.count))
    }
}
