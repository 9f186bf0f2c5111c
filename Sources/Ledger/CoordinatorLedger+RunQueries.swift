import Postgres
import Sharding

extension CoordinatorLedger {
    struct InsertRun: LedgerQuery {
        static let name = "coord_insert_run"
        static let isPrepared = true

        static func sql(_ ledger: String) -> String {
            """
            INSERT INTO \(ledger).run (name, definition, directory, fingerprint, table_name, rows_estimated, search_path,
                table_oid, binding, batch_rows, shards, end_key, settings)
            VALUES ($1, $2, $3, $4, $5, $6::bigint, COALESCE($7,
                    NULLIF(current_setting('\(SearchPath.own)', true), ''), current_setting('search_path')),
                $8::oid, $9::jsonb, $10::int, $11::int, $12::text[], jsonb_object($13::text[])) RETURNING id
            """
        }

        var definition: RunDefinition
        var rowsEstimated: Int64
        /// The planned number of shards.
        var shards: Int

        var parameters: PostgresParameters {
            let settings = definition.settings.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] }
            return PostgresParameters([
                definition.name, definition.text, definition.directory, definition.fingerprint, definition.table,
                "\(rowsEstimated)", definition.searchPath.isEmpty ? nil : definition.searchPath,
                definition.tableOID.map { "\($0)" }, definition.binding, definition.batchRows.map { "\($0)" },
                "\(shards)", definition.endKey?.literal, PostgresArray.write(settings),
            ])
        }

        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> RunID {
            let id: LedgerColumn<RunID> = try columns("id")
            return { row in try row[id] }
        }
    }

    struct InsertShards: LedgerStatement {
        static let name = "coord_insert_shards"
        static let isPrepared = true

        static func sql(_ ledger: String) -> String {
            """
            INSERT INTO \(ledger).shard (run_id, id, after_key, through_key, rows_estimated)
            SELECT $1::bigint, i, a::text[], t::text[], e
            FROM unnest($2::int[], $3::text[], $4::text[], $5::bigint[]) AS u(i, a, t, e)
            """
        }

        var run: RunID
        var plan: ShardPlan
        var subject: RunID? { run }

        var parameters: PostgresParameters {
            var parameters = PostgresParameters([run.description])
            parameters.beginArray(elementType: ElementType.int4.rawValue)
            for index in plan.parts.indices { parameters.appendElement(Int32(index)) }
            parameters.endArray()
            parameters.append(texts: plan.parts.map { $0.range.after?.literal })
            parameters.append(texts: plan.parts.map { $0.range.through?.literal })
            parameters.beginArray(elementType: ElementType.int8.rawValue)
            for part in plan.parts { parameters.appendElement(part.rowsEstimated) }
            parameters.endArray()
            return parameters
        }
    }

    struct Bind: LedgerStatement {
        static let name = "coord_bind"

        static func sql(_ ledger: String) -> String {
            """
            UPDATE \(ledger).run SET table_oid = $4::oid, binding = $5::jsonb, specification = $6::jsonb
            WHERE id = $1::bigint AND coordinator = $2::uuid AND term = $3::bigint
            """
        }

        var ownership: Ownership
        var tableOID: UInt32
        var binding: String
        var specification: String
        var subject: RunID? { ownership.run }

        var parameters: PostgresParameters {
            PostgresParameters(ownership.parameters + ["\(tableOID)", binding, specification])
        }
    }

    struct ReadSpecification: LedgerQuery {
        static let name = "coord_specification"

        static func sql(_ ledger: String) -> String { "SELECT specification FROM \(ledger).run WHERE id = $1::bigint" }

        var run: RunID
        var subject: RunID? { run }
        var parameters: PostgresParameters { PostgresParameters([run.description]) }

        /// Nil if no coordinator has resolved the job yet.
        func decoder(_ columns: LedgerColumns) throws -> (LedgerRow) throws -> String? {
            let specification: LedgerColumn<String> = try columns("specification")
            return { row in try row.optional(specification) }
        }
    }

    struct FixEnd: LedgerStatement {
        static let name = "coord_fix_end"

        static func sql(_ ledger: String) -> String {
            """
            UPDATE \(ledger).run SET end_key = $4::text[]
            WHERE id = $1::bigint AND coordinator = $2::uuid AND term = $3::bigint AND end_key IS NULL
            """
        }

        var ownership: Ownership
        var end: Key
        var subject: RunID? { ownership.run }
        var parameters: PostgresParameters { PostgresParameters(ownership.parameters + [end.literal]) }
    }

    struct FixLastShard: LedgerStatement {
        static let name = "coord_fix_last_shard"

        static func sql(_ ledger: String) -> String {
            """
            UPDATE \(ledger).shard SET through_key = $2::text[]
            WHERE run_id = $1::bigint AND through_key IS NULL AND state <> 'done'
            """
        }

        var run: RunID
        var end: Key
        var subject: RunID? { run }
        var parameters: PostgresParameters { PostgresParameters([run.description, end.literal]) }
    }

    struct EndEmpty: LedgerStatement {
        static let name = "coord_end_empty"

        static func sql(_ ledger: String) -> String {
            "UPDATE \(ledger).shard SET state = 'done' WHERE run_id = $1::bigint AND through_key IS NULL"
        }

        var run: RunID
        var subject: RunID? { run }
        var parameters: PostgresParameters { PostgresParameters([run.description]) }
    }
}
