import Postgres
import Sharding

/// The role that looks for the ledger's tables and their version, makes them and removes them.
package struct LedgerInstallation: LedgerRole {
    let session: LedgerSession
    package init(_ session: LedgerSession) { self.session = session }

    var ledger: String { session.ledger }
    var schema: LedgerSchema { session.schema }

    /// Every table that the ledger has had since its first version.
    static let tables = ["attempt", "event", "migration", "run", "shard", "worker"]

    /// The version of the ledger in this schema; 0 without a ledger.
    /// - Throws: `LedgerError` with code `foreign` when the schema holds other objects than a ledger; `forbidden` when
    ///   the role lacks rights.
    package func installedVersion() throws -> Int {
        let content = try session.first(ReadContent(schema: schema))
        guard let content, content.count > 0 else { return 0 }
        guard Set(content.tables).isSuperset(of: Self.tables) else { throw foreign(content) }
        do {
            return try session.only(ReadVersion())
        } catch let error as PostgresError {
            // A foreign table of that name may have other columns.
            if ["42703", "42883", "22P02"].contains(error.sqlState) { throw foreign(content) }
            guard error.recovery == .authorize else { throw error }
            throw session.forbidden(.viewer, "nothing was done", because: "it may not read the ledger: \(error)", error)
        }
    }

    private func foreign(_ content: ReadContent.Content) -> LedgerError {
        let some = content.names.joined(separator: ", ") + (content.count > content.names.count ? ", …" : "")
        return LedgerError(
            .foreign,
            "the schema \(ledger) of this database is not this program's: it holds \(some), and not the tables of a ledger. "
                + "Nothing was changed",
            mend:
                "give the ledger another: --ledger-schema NAME, or ledger_schema: NAME in the job; or rename that one: "
                + "ALTER SCHEMA \(ledger) RENAME TO …")
    }

    /// Brings the ledger to this build's version. Does nothing if it has that version already.
    /// - Returns: whether it changed anything.
    @discardableResult
    package func install() throws -> Bool {
        if try installedVersion() == Schema.version { return false }
        return try install(roles: false).changesLedger
    }

    /// Brings the ledger to this build's version, and gives its group roles their rights.
    /// - Returns: what was done.
    package func install(roles: Bool) throws -> Script {
        for _ in 1..<Self.tries {
            do { return try installNow(roles: roles) } catch let error as PostgresError {
                guard roles, Self.meetsAnother.contains(error.sqlState ?? "") else { throw error }
            }
        }
        return try installNow(roles: roles)
    }

    /// Roles belong to the server, and another database's ledger may be making the same at this moment: that they are there by
    /// now, twice, or changed by another.
    private static let meetsAnother = ["42710", "23505", "XX000"]
    private static let tries = 5

    private func installNow(roles: Bool) throws -> Script {
        do {
            return try session.transaction {
                try session.run(LockMigrations(number: Schema.migrationLock(of: schema)))
                let script = try script(roles: roles)
                for statement in script.statements { try session.connection.execute(script: statement) }
                return script
            }
        } catch let error as PostgresError {
            guard error.recovery == .authorize else { throw error }
            throw LedgerError(
                .forbidden, "this role may not make the ledger: \(error)",
                mend: "let a role that may run: coord ledger install", cause: error)
        }
    }

    /// What `install` would do now. Changes nothing.
    package func script(roles: Bool) throws -> Script {
        let version = try installedVersion()
        guard version <= Schema.version else { throw newer(version) }
        let missing = version..<Schema.version
        let migrations = Schema.migrations(in: schema)
        let statements = missing.flatMap { next in
            [migrations[next], "INSERT INTO \(ledger).migration (version) VALUES (\(next + 1))"]
        }
        var script = Script(statements: statements, changesLedger: !missing.isEmpty)
        if roles { try addRoles(to: &script) }
        return script
    }

    private func newer(_ version: Int) -> LedgerError {
        LedgerError(
            .newer(version: version), "the ledger has version \(version), this coord knows \(Schema.version)",
            mend: "use the coord that made it, or a newer one")
    }

    /// Throws an error with a mend unless the ledger is installed in this build's version.
    package func require() throws {
        let version = try installedVersion()
        guard version > 0 else { throw try missing() }
        guard version <= Schema.version else { throw newer(version) }
        guard version == Schema.version else {
            throw LedgerError(
                .notInstalled, "the ledger has version \(version), this coord needs \(Schema.version)",
                mend: "coord ledger install")
        }
    }

    /// Other schemas with a ledger's tables, at most three. A schema whose name no ledger may have is left out.
    package func others() throws -> [LedgerSchema] {
        try session.rows(ReadOtherLedgers(schema: schema)).compactMap { LedgerSchema($0) }
    }

    private func missing() throws -> LedgerError {
        let others = try others()
        guard others.isEmpty else {
            let names = others.map(\.quoted).joined(separator: ", ")
            return LedgerError(
                .notInstalled, "there is no ledger in the schema \(ledger) of this database, but one in \(names)",
                mend: "name it: --ledger-schema NAME, or COORD_LEDGER_SCHEMA in the environment; to make one in "
                    + "\(ledger): coord ledger install")
        }
        let place = schema == .standard ? "in" : "in the schema \(ledger) of"
        return LedgerError(
            .notInstalled, "there is no ledger \(place) this database: nothing has run here yet",
            mend: "coord start JOB, or coord ledger install")
    }

    /// Removes the ledger with everything in it. Refused while a coordinator owns a run.
    package func drop() throws {
        guard try installedVersion() > 0 else { return }
        if let (run, owner) = try session.first(ReadOwnedRun()) {
            throw LedgerError(
                .owned(by: owner ?? "?"), "run \(run) is at work: the ledger is not dropped",
                mend: "coord cancel \(run)")
        }
        try session.connection.execute(script: "DROP SCHEMA \(ledger) CASCADE")
    }
}
