import Batches
import Job
import Postgres
import Sharding

/// Checks the rights of the coordinator's and of the workers' role on a job's table.
struct TableRights {
    let job: Job
    let target: Target
    /// As the coordinator's role sees the table.
    let catalogue: Catalogue
    let ledger: LedgerSchema

    /// Who can have the updates planned.
    struct Found {
        var writer: PostgresConnection
        /// Whether the writer's role may carry out the updates.
        var mayUpdate = true
        /// What a person should know.
        var note: String?
    }

    /// - Throws: `PreflightError` with the code `permission` and the missing grant.
    func check(_ writer: WritingRole, _ connection: PostgresConnection) throws -> Found {
        switch writer {
        case .same:
            try require(in: catalogue, of: "this role", toUpdate: true)
            return Found(writer: connection)
        case .other(let session):
            try require(in: catalogue, of: "this role", toUpdate: false)
            let name = try session.execute("SELECT session_user").text(0, 0) ?? "?"
            let seen = try Catalogue.read(job.table, resolved: target.table, ledger: ledger, session)
            guard seen.oid == catalogue.oid else {
                throw PreflightError(
                    .job, "the workers' session, of the role \(name), leads to another table \(target.table)",
                    mend: "let --worker-database name the same database")
            }
            try require(in: seen, of: "the workers' role \(name)", toUpdate: true)
            return Found(writer: session)
        case .unknown:
            try require(in: catalogue, of: "this role", toUpdate: false)
            let missing = columns(written, without: \.updatable, in: catalogue)
            guard !missing.isEmpty || !seesVersions(in: catalogue) else { return Found(writer: connection) }
            let what = missing.isEmpty ? "SELECT xmin and ctid" : "UPDATE \(missing)"
            return Found(
                writer: connection, mayUpdate: false,
                note:
                    "this role may not \(what) of \(job.table): the workers' roles must, and one that may not is refused "
                    + "when it joins")
        }
    }

    private func require(in catalogue: Catalogue, of who: String, toUpdate: Bool) throws {
        let noUpdate = toUpdate ? columns(written, without: \.updatable, in: catalogue) : ""
        for (right, list) in [("UPDATE", noUpdate), ("SELECT", columns(read, without: \.readable, in: catalogue))]
        where !list.isEmpty {
            let other =
                right == "UPDATE" && who == "this role"
                ? "\n  or let workers have a role of their own: --worker-database CONNINFO" : ""
            throw PreflightError(
                .permission, "\(who) may not \(right) \(list) of \(job.table)",
                mend: "GRANT \(right) (\(list)) ON \(target.table) TO the role\(other)")
        }
        guard !toUpdate || seesVersions(in: catalogue) else {
            throw PreflightError(
                .permission, "\(who) may not SELECT xmin and ctid of \(job.table), which show a change of the row",
                mend: "GRANT SELECT (xmin, ctid) ON \(target.table) TO the role")
        }
    }

    private var written: [Target.Column] {
        switch target.change {
        case .set(let assignments): assignments.map(\.column)
        case .compute(_, let writes): writes
        }
    }

    private var read: [Target.Column] {
        switch target.change {
        case .set: target.key.columns
        case .compute(let read, _): target.key.columns + read
        }
    }

    private func seesVersions(in catalogue: Catalogue) -> Bool {
        if case .compute = target.change { return catalogue.versionsReadable }
        return true
    }

    private func columns(
        _ columns: [Target.Column], without right: KeyPath<Catalogue.Column, Bool>, in catalogue: Catalogue
    ) -> String {
        columns.filter { column in
            catalogue.columns.first { $0.number == column.number }?[keyPath: right] != true
        }.map(\.quoted).joined(separator: ", ")
    }
}
