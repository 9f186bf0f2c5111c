import Postgres
import Sharding

// The group roles of a ledger.
extension LedgerInstallation {
    /// What an installation does, or would do.
    package struct Script: Sendable, Equatable {
        /// The statements in their order, in one transaction; empty if there is nothing to do.
        package var statements: [String]
        /// Whether the ledger is made or brought to another version.
        package var changesLedger: Bool
        /// The group roles, as SQL writes their names; empty if none are asked for.
        package var roles: [String] = []
        /// Grants that this role may not give: a superuser has to.
        package var leftToOthers: [String] = []
    }

    /// The statements for this ledger's roles.
    ///
    /// - Throws: `LedgerError` with code `forbidden` if this role may not make them, or give rights in the ledger;
    ///   with `foreign` if one of the names is an account's.
    func addRoles(to script: inout Script) throws {
        guard let roles = LedgerRoles(of: schema) else {
            throw LedgerError(
                .foreign, "the schema's name \(ledger) is too long for the names of its roles: nothing was changed",
                mend: "make the roles by hand, or give the ledger a shorter name")
        }
        let found = try session.rows(ReadRoles(names: LedgerRoles.Kind.allCases.map(roles.plain)))
        let here = try session.only(ReadGrantor(schema: schema))
        let again = "coord ledger install --roles"
        if let account = found.first(where: \.isAccount) {
            throw LedgerError(
                .foreign,
                "the role \(account.name) can log in or is a superuser, so it is not a group that coord made: nothing was "
                    + "changed",
                mend: "rename it, or give the ledger another schema, whose name its roles have too")
        }
        // The owner of a ledger that is not there yet is this role.
        if let owner = here.otherOwner {
            throw LedgerError(
                .forbidden,
                "the ledger belongs to \(owner), and only a member of that role gives rights in it: nothing was changed",
                mend: "as \(owner): \(again)")
        }
        let missing = LedgerRoles.Kind.allCases.filter { kind in !found.contains { $0.name == roles.plain(kind) } }
        guard missing.isEmpty || here.mayMakeRoles else {
            throw LedgerError(
                .forbidden, "this role may not make roles: nothing was changed",
                mend: "let a superuser run: \(again)\n  or: "
                    + missing.map { "CREATE ROLE \(roles.quoted($0)) NOLOGIN" }.joined(separator: "; ")
                    + "   and then: \(again)")
        }
        script.roles = LedgerRoles.Kind.allCases.map(roles.quoted)
        script.statements += roles.statements(missing: missing)
        if here.mayGiveStatistics {
            script.statements.append(roles.statisticsGrant)
        } else {
            script.leftToOthers.append(roles.statisticsGrant)
        }
    }

    /// The roles of some names that there are.
    struct ReadRoles: LedgerQuery {
        static let name = "coord_roles"

        struct Found {
            var name: String
            /// Whether it is somebody's account, or has rights that no member of a group must get.
            var isAccount: Bool
        }

        static func sql(_: String) -> String {
            """
            SELECT rolname AS name, rolcanlogin OR rolsuper OR rolcreaterole OR rolreplication OR rolbypassrls AS is_account
            FROM pg_roles WHERE rolname = ANY ($1::name[])
            """
        }

        var names: [String]
        var parameters: PostgresParameters { PostgresParameters([PostgresArray.write(names)]) }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> Found {
            let name: LedgerColumn<String> = try columns("name")
            let isAccount: LedgerColumn<Bool> = try columns("is_account")
            return { row in Found(name: try row[name], isAccount: try row[isAccount]) }
        }
    }

    /// What this role may give.
    struct ReadGrantor: LedgerQuery {
        static let name = "coord_grantor"

        struct Found {
            /// The owner of the ledger's schema or of one of its tables, if this role has not that role's rights.
            var otherOwner: String?
            var mayMakeRoles: Bool
            var mayGiveStatistics: Bool
        }

        static func sql(_: String) -> String {
            """
            SELECT (SELECT min(quote_ident(pg_get_userbyid(o.owner))) FROM (
                    SELECT n.nspowner AS owner FROM pg_namespace AS n WHERE n.nspname = $1::name
                    UNION ALL SELECT c.relowner FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                    WHERE n.nspname = $1::name AND c.relkind = 'r'
                ) AS o WHERE NOT pg_has_role(o.owner, 'USAGE')) AS other_owner,
                r.rolsuper OR r.rolcreaterole AS makes_roles,
                r.rolsuper OR r.rolcreaterole AND current_setting('server_version_num')::int < 160000
                    OR pg_has_role('pg_read_all_stats', 'MEMBER WITH ADMIN OPTION')
                        AND pg_has_role('pg_signal_backend', 'MEMBER WITH ADMIN OPTION') AS gives_statistics
            FROM pg_roles AS r WHERE r.rolname = current_user
            """
        }

        var schema: LedgerSchema
        var parameters: PostgresParameters { PostgresParameters([schema.name]) }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> Found {
            let otherOwner: LedgerColumn<String> = try columns("other_owner")
            let makesRoles: LedgerColumn<Bool> = try columns("makes_roles")
            let givesStatistics: LedgerColumn<Bool> = try columns("gives_statistics")
            return { row in
                Found(
                    otherOwner: try row.optional(otherOwner), mayMakeRoles: try row[makesRoles],
                    mayGiveStatistics: try row[givesStatistics])
            }
        }
    }
}
