import CLibPQ

/// One connection to PostgreSQL. It belongs to one thread and blocks that thread: make it inside an actor on a
/// `ThreadExecutor`.
///
/// No call waits for ever: a server that neither takes nor gives a byte for `Settings.silenceLimit` counts as gone,
/// even if TCP lives on, as behind a proxy. The connection is then dead, and the error has no SQLSTATE. The one
/// exception is the look-up of a host's name, which libpq leaves to the system, with the system's own limits.
///
/// libpq finds the settings: first the given conninfo, then the environment, the service file and the passfile.
public final class PostgresConnection {
    /// The server, the role, and the session's set-up.
    public struct Settings: Sendable, Equatable {
        /// A libpq URI or conninfo without a password; nil for the environment alone.
        public var conninfo: String?
        public var applicationName: String
        /// Statements that set up the session after every connect. The first lifts the role's limit on a statement's
        /// time.
        public var setup: [String]
        /// How long the server may be silent while this side waits. It must be longer than a statement may take, since
        /// the server is silent while it works.
        public var silenceLimit: Duration
        /// Ends every wait at once, also the wait for the connection.
        public var interrupt: PostgresInterrupt?

        public init(
            conninfo: String? = nil, applicationName: String, setup: [String] = [],
            silenceLimit: Duration = Self.defaultSilenceLimit, interrupt: PostgresInterrupt? = nil
        ) {
            self.conninfo = conninfo
            self.applicationName = applicationName
            self.setup = setup
            self.silenceLimit = silenceLimit
            self.interrupt = interrupt
        }

        /// Longer than the statement timeout: by then the server has cancelled the statement and said so.
        public static let defaultSilenceLimit = Duration.seconds(PostgresSession.statementTimeoutSeconds + 15)
    }

    let raw: OpaquePointer
    let isEncrypted: Bool
    /// How long the server may be silent; see `Settings`. It may be raised for one long statement.
    public var silenceLimit: Duration
    var interrupt: PostgresInterrupt?
    /// The reason why the connection was given up.
    var broken: PostgresError?
    /// Milliseconds without a byte so far, for a wait in pieces.
    var blindSilence: Int32 = 0
    private var prepared: Set<String> = []

    /// - Throws: `PostgresError` when the server cannot be reached or refuses.
    public init(_ settings: Settings) throws(PostgresError) {
        var connecting = PostgresConnecting(settings)
        raw = try connecting.connect()
        isEncrypted = PQsslInUse(raw) != 0 || PQgssEncInUse(raw) != 0
        silenceLimit = settings.silenceLimit
        interrupt = settings.interrupt
        guard PQsetnonblocking(raw, 1) == 0 else { throw lastError }
        guard let first = settings.setup.first else { return }
        // All set-up statements in one round trip.
        let all = settings.setup.joined(separator: ";\n")
        do { try execute(script: all) } catch {
            // On a busy machine the set-up may take longer than the role's limit on a statement's time.
            guard error.sqlState == "57014" else { throw error }
            try lift(first)
            try execute(script: all)
        }
    }

    /// How long the statement that lifts the role's limit is tried, since that statement itself runs under the limit.
    /// A number of tries would not do: on a busy machine fifty of them in a row took longer than a limit of 1 ms.
    private static let liftLimit = Duration.seconds(10)

    private func lift(_ statement: String) throws(PostgresError) {
        let end = ContinuousClock.now + Self.liftLimit
        while true {
            do { return try execute(script: statement) } catch {
                guard error.sqlState == "57014", ContinuousClock.now < end else { throw error }
            }
        }
    }

    /// Runs statements in one round trip, and in one transaction unless they contain transaction commands.
    public func execute(script: String) throws(PostgresError) {
        try beAlone()
        guard PQsendQuery(raw, script) == 1 else { throw lastError }
        _ = try outcome()
    }

    // `PQfinish` says goodbye without waiting, since the connection is non-blocking.
    deinit { PQfinish(raw) }

    // MARK: - Statements

    /// Runs one statement and waits for its result.
    @discardableResult
    public func execute(_ sql: String, _ parameters: [String?] = []) throws(PostgresError) -> PostgresResult {
        try execute(sql, PostgresParameters(parameters))
    }

    package func execute(_ sql: String, _ parameters: PostgresParameters) throws(PostgresError) -> PostgresResult {
        try beAlone()
        let sent = parameters.withLibPQ { count, values, lengths, formats in
            PQsendQueryParams(raw, sql, count, nil, values, lengths, formats, 0)
        }
        guard sent == 1 else { throw lastError }
        return try outcome()
    }

    /// Runs a prepared statement, and prepares it first if this connection has none of that name.
    public func executePrepared(
        _ name: String, _ sql: @autoclosure () -> String, _ parameters: PostgresParameters
    ) throws(PostgresError) -> PostgresResult {
        try prepare(name, sql())
        try beAlone()
        let sent = parameters.withLibPQ { count, values, lengths, formats in
            PQsendQueryPrepared(raw, name, count, values, lengths, formats, 0)
        }
        guard sent == 1 else { throw lastError }
        return try outcome()
    }

    /// Prepares a statement once for the life of the connection.
    public func prepare(_ name: String, _ sql: @autoclosure () -> String) throws(PostgresError) {
        guard !prepared.contains(name) else { return }
        try beAlone()
        guard PQsendPrepare(raw, name, sql(), 0, nil) == 1 else { throw lastError }
        _ = try outcome()
        prepared.insert(name)
    }

    /// Parses and analyses a statement without running it, and describes its columns.
    public func describe(_ sql: String) throws(PostgresError) -> PostgresResult {
        try beAlone()
        guard PQsendPrepare(raw, "", sql, 0, nil) == 1 else { throw lastError }
        _ = try outcome()
        guard PQsendDescribePrepared(raw, "") == 1 else { throw lastError }
        return try outcome()
    }

    /// In a pipeline, the answer would come only with the next `sync`.
    private func beAlone() throws(PostgresError) {
        if let broken { throw broken }
        guard PQpipelineStatus(raw) == PQ_PIPELINE_OFF else {
            throw PostgresError(sqlState: "55000", message: "a statement cannot be run alone within a pipeline")
        }
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

    /// Sends a prepared statement; `nextResult` gives the results in the order of the statements.
    public func send(prepared name: String, _ parameters: PostgresParameters) throws(PostgresError) {
        if let broken { throw broken }
        let sent = parameters.withLibPQ { count, values, lengths, formats in
            PQsendQueryPrepared(raw, name, count, values, lengths, formats, 0)
        }
        guard sent == 1 else { throw lastError }
    }

    public func sync() throws(PostgresError) {
        if let broken { throw broken }
        guard PQpipelineSync(raw) == 1 else { throw lastError }
        try flush()
    }

    /// Waits for the result of the current statement and reads it to its end. Only then throws the statement's error,
    /// so that the next call is for the next statement.
    public func nextResult() throws(PostgresError) -> PostgresResult {
        if let broken { throw broken }
        guard let first = try next() else { throw lastError }
        let result: PostgresResult
        do { result = try check(first) } catch {
            let failure = error
            // The connection may break next, but the statement's own error says more.
            if broken == nil { do { try skipResults() } catch { throw failure } }
            throw failure
        }
        try skipResults()
        return result
    }

    private func skipResults() throws(PostgresError) {
        while let more = try next() { PQclear(more) }
    }

    /// Waits for the end of an implicit transaction that `sync` asked for.
    public func nextSync() throws(PostgresError) {
        if let broken { throw broken }
        var failure: PostgresError?
        // An error of the commit, as of a deferred constraint, comes before the mark, and has an end of its own.
        for _ in 0..<Self.resultsBeforeMark {
            guard let result = try next() else {
                if failure == nil { throw lastError }
                continue
            }
            if PQresultStatus(result) == PGRES_PIPELINE_SYNC {
                PQclear(result)
                if let failure { throw failure }
                return
            }
            do { _ = try check(result) } catch {
                failure = failure ?? error
                if let broken { throw broken }
            }
        }
        throw failure ?? lastError
    }

    /// The most results, ends of results included, that may come before the mark of a transaction's end.
    private static let resultsBeforeMark = 8

    /// Reads the result of the current statement row by row, so that libpq holds one row at most.
    ///
    /// - Parameter body: called for each row. It returns whether it wants further rows; after false, the remaining rows
    ///   are read and dropped.
    public func forEachRow(_ body: (_ row: borrowing PostgresRow) -> Bool) throws(PostgresError) {
        if let broken { throw broken }
        guard PQsetSingleRowMode(raw) == 1 else { throw lastError }
        var wanted = true
        var failure: PostgresError?
        while true {
            let next: OpaquePointer?
            do { next = try self.next() } catch { throw failure ?? error }
            guard let result = next else { break }
            let status = PQresultStatus(result)
            if status == PGRES_SINGLE_TUPLE || status == PGRES_TUPLES_OK {
                if wanted, status == PGRES_SINGLE_TUPLE { wanted = body(PostgresRow(raw: result)) }
                PQclear(result)
                continue
            }
            do { _ = try check(result) } catch {
                failure = failure ?? error
                if broken != nil { break }
            }
        }
        if let failure { throw failure }
    }

    // MARK: - State

    /// Whether a transaction block is open.
    public var isInTransaction: Bool { PQtransactionStatus(raw) == PQTRANS_INTRANS }
    /// Whether an error has ended the open transaction block, which waits for its ROLLBACK.
    public var isInFailedTransaction: Bool { PQtransactionStatus(raw) == PQTRANS_INERROR }
    public var isAlive: Bool { broken == nil && PQstatus(raw) == CONNECTION_OK }
    public var backendPID: Int32 { PQbackendPID(raw) }
    /// For example 150018.
    public var serverVersion: Int { Int(PQserverVersion(raw)) }

    /// A handle for another thread to cancel the running statement.
    public func cancelHandle() -> PostgresCancel? { PQgetCancel(raw).map(PostgresCancel.init) }

    /// A handle for another thread to end this connection's waits for good. It is the interrupt of the settings, if
    /// they have one.
    public func interruptHandle() -> PostgresInterrupt {
        if let interrupt { return interrupt }
        let made = PostgresInterrupt()
        interrupt = made
        return made
    }

    // MARK: - Errors

    var lastError: PostgresError {
        if let broken { return broken }
        let message = Self.text(PQerrorMessage(raw))
        return PostgresError(sqlState: nil, message: message.isEmpty ? "the connection was closed" : message)
    }

    func check(_ result: OpaquePointer) throws(PostgresError) -> PostgresResult {
        switch PQresultStatus(result) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_SINGLE_TUPLE, PGRES_EMPTY_QUERY: return PostgresResult(result)
        case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
            PQclear(result)
            // COPY needs calls of its own, and until then libpq gives this same result again and again.
            throw giveUp("COPY is not for this connection, which was given up", sqlState: "0A000")
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

    static func text(_ message: UnsafeMutablePointer<CChar>?) -> String {
        guard let message else { return "" }
        let text = String(cString: message)
        return String(text.reversed().drop(while: \.isWhitespace).reversed())
    }
}
