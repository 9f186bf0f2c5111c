public import Batches
import Job
import Ledger
import Postgres
import Sharding

/// The order in which the rows of a shard are done, the reason for it, and the expected effects.
public struct OrderChoice: Sendable, Equatable {
    /// Nil for the key's order.
    public var comb: Comb?
    public var reason: String
    /// What may keep the comb from its expected effect, or the table from HOT updates altogether, such as an index or
    /// an old snapshot.
    public var obstacles: [String]
    public var expected: Expected

    /// The effects of a run over the whole table, as far as the table shows them.
    public struct Expected: Sendable, Equatable {
        /// The share of the updates whose new version stays on its page, 0 to 1.
        public var hotShare: Double
        /// The size of the table's file after the run, as a multiple of its present size.
        public var heapGrowth: Double
        /// The size of each index that holds no changed column, as a multiple of its present size.
        public var indexGrowth: Double

        /// Bytes of the write-ahead log for each changed row: images of whole pages, and what each row adds.
        public var walBytesPerRow: Int64
    }

    /// The number of pages below which a table's growth does not matter.
    static let leastPages: Int64 = 1024
    /// The number of rows on a page below which the rows of one stripe are a large part of the page.
    static let leastRowsOnPage = 4.0
    /// The least share of the table's rows that must meet the job's condition.
    static let leastShare = 0.3
    /// The stripes of a stretch. With fewer stripes more rows find no room; with more stripes a batch touches more
    /// pages.
    static let stripes = 4...32
    /// Stripes at most where as many are even.
    static let usualStripes = 16
    /// The rows of a batch: few, so that the statements in flight end soon. With eight workers on two cores, 1,000 rows
    /// left 57 % of the updates HOT, 300 rows 76 %, 150 rows 83 %, 100 rows 84 %, 60 rows 86 %, at nearly the same
    /// speed.
    static let batchRows = 100
    /// The rows of a batch that a transform computes. A write of more rows spreads the cost of its round trips.
    static let transformRows = 300
    /// The batches of a stripe. A page rests while they run.
    static let batchesOfStripe = 4
    /// The age in seconds from which a snapshot is told.
    static let oldSnapshot = 10
    /// The most old snapshots that are told.
    static let snapshotLimit = 3
}

extension OrderChoice {
    /// Chooses the order for a job. If the job asks for an order, it only says what that order leads to.
    ///
    /// - Parameters:
    ///   - rows: the rows of the table; `estimated`: the rows that meet the job's condition.
    ///   - seconds: the age from which a snapshot is told; `limit`: the most snapshots that are told.
    static func choose(
        _ target: Target, _ job: Job, rows: Int64, estimated: Int64, snapshotsFrom seconds: Int = oldSnapshot,
        limit: Int = snapshotLimit, _ connection: PostgresConnection
    ) throws -> OrderChoice {
        let (asked, batch) = (job.order, job.batch)
        let table = try Table(target, rows: rows, connection)
        var obstacles = table.indexes.map {
            "index \($0.index) holds \($0.column), which changes: no update can be HOT"
        }
        func inKeyOrder(_ reason: String) -> OrderChoice {
            OrderChoice(
                comb: nil, reason: reason, obstacles: obstacles,
                // Each new version goes to the end of the file, and needs an entry in every index.
                expected: Expected(
                    hotShare: 0, heapGrowth: 2, indexGrowth: 2, walBytesPerRow: table.walBytes(hotShare: 0)))
        }
        if asked == .key { return inKeyOrder("the job says so") }
        if asked == nil {
            if table.pages < leastPages { return inKeyOrder("the table is small") }
            if let first = table.indexes.first {
                return inKeyOrder("\(first.column) is in index \(first.index), so that no update can be HOT")
            }
            if table.rowsOnPage < leastRowsOnPage {
                return inKeyOrder("fewer than \(Int(leastRowsOnPage)) rows fit on a page")
            }
            if rows > 0, Double(estimated) < leastShare * Double(rows) {
                return inKeyOrder("few rows meet the condition")
            }
            if !table.isVisible {
                return inKeyOrder("this role may not see on which pages the rows lie (SELECT on ctid)")
            }
            if !table.isInKeyOrder { return inKeyOrder("neighbours by key lie on different pages") }
            if try SetBasedLimits(batch, target, connection).bytes != nil, target.isSet {
                return inKeyOrder("the rows are so wide that a batch is bounded by their bytes")
            }
        }
        obstacles += try HorizonHolders.names(from: seconds, limit: limit, connection).map {
            "\($0) keeps old row versions: until that ends, none makes room for a new one"
        }
        let choice = table.choice(of: Self.stripes)
        let stripes = choice.stripes
        let batchRows = min(batch.rows, Self.limit(for: job.change))
        let comb = Comb(
            stripes: stripes, rule: choice.rule, batchRows: batchRows,
            stretchRows: min(Comb.stretchLimit, stripes * Self.batchesOfStripe * batchRows))
        let moved = max(choice.moved, 1 / max(1, table.rowsOnPage))
        // The formulas follow the measurements in `docs/benchmarks.md`. An index keeps its size while it gets an entry
        // for about one update in seven.
        let hotShare = table.indexes.isEmpty ? max(0, min(0.97 - moved, table.roomForPlaces)) : 0
        return OrderChoice(
            comb: comb, reason: asked == nil ? "HOT updates are possible" : "the job says so", obstacles: obstacles,
            expected: Expected(
                hotShare: hotShare, heapGrowth: hotShare > 0 ? 1.06 + max(moved, 0.97 - hotShare) : 2,
                indexGrowth: hotShare > 0.85 ? 1.05 : hotShare > 0 ? min(2, 1.05 + (0.85 - hotShare) * 8) : 2,
                walBytesPerRow: table.walBytes(hotShare: hotShare)))
    }

    /// A program gets as many rows at a time as the job says, since it may rely on that number. While it computes, no
    /// statement is in flight.
    private static func limit(for change: Job.Change) -> Int {
        switch change {
        case .set: batchRows
        case .compute(let compute):
            if case .transform = compute.program { transformRows } else { BatchLimits.rowsRange.upperBound }
        }
    }

    /// What the choice of the order needs to know of a table.
    private struct Table {
        var pages: Int64
        var rowsOnPage: Double
        /// The changed columns that indexes hold, each with one such index.
        var indexes: [(index: String, column: String)]
        /// Whether rows with neighbouring keys share pages.
        var isInKeyOrder: Bool
        private var sample = PageSample([:])
        private var indexCount: Int64
        private var pageBytes: Int64
        private var imageShare: Double
        /// Whether the role may see on which page a row lies.
        var isVisible: Bool

        /// The number of keys in the sample from each end of the table.
        private static let sampleRows = 2000

        init(_ target: Target, rows: Int64, _ connection: PostgresConnection) throws {
            let size = try connection.execute(
                """
                SELECT pg_relation_size($1::oid) / current_setting('block_size')::bigint,
                    has_column_privilege($1::oid, 'ctid', 'SELECT'), current_setting('block_size'),
                    (SELECT count(*) FROM pg_index WHERE indrelid = $1::oid), current_setting('full_page_writes') = 'on',
                    current_setting('wal_compression') <> 'off'
                """, ["\(target.oid)"])
            pages = size.int(0, 0) ?? 0
            isVisible = size.bool(0, 1) ?? false
            pageBytes = size.int(0, 2) ?? 8192
            indexCount = size.int(0, 3) ?? 0
            imageShare = size.bool(0, 4) == false ? 0 : size.bool(0, 5) == true ? 0.35 : 1
            rowsOnPage = pages > 0 ? Double(rows) / Double(pages) : 0
            indexes = try Self.indexes(of: target, connection)
            let key = target.key
            let isNumber = [.smallint, .integer, .bigint].contains(key.parts[key.count - 1].type)
            let rules: [Comb.Rule] = isNumber ? [.remainder, .hash] : [.hash]
            let statements = BatchStatements(target: target)
            let numbers = rules.map { statements.stripeNumber($0) }.joined(separator: ", ")
            var pagesSeen = 0.0
            var seen = 0.0
            var sampled: [Comb.Rule: [[Int64]]] = [:]
            isInKeyOrder = false
            guard isVisible, pages > 0 else { return }
            for descending in [false, true] {
                let result = try connection.execute(
                    """
                    SELECT (pg_catalog.split_part(pg_catalog.btrim(\(target.alias).ctid::text, '()'), ',', 1)), \(numbers)
                    FROM ONLY \(target.table) ORDER BY \(key.order(of: target.alias, descending: descending)) LIMIT \(Self.sampleRows)
                    """)
                var known: [String: [Int]] = [:]
                for row in 0..<result.rows { known[result.text(row, 0) ?? "", default: []].append(row) }
                pagesSeen += Double(known.count)
                seen += Double(result.rows)
                // Pages of which the sample has a part alone tell nothing.
                for rows in known.values where Double(rows.count) >= rowsOnPage * 0.7 {
                    for (index, rule) in rules.enumerated() {
                        sampled[rule, default: []].append(rows.compactMap { result.int($0, index + 1) })
                    }
                }
            }
            sample = PageSample(sampled)
            isInKeyOrder = rowsOnPage > 0 && pagesSeen <= 3 * seen / rowsOnPage + 4
        }

        /// The write-ahead log has one image of each page. For a row that stays on its page it then has little more
        /// than the change; for a row that moves, the whole row and an entry in each index.
        func walBytes(hotShare: Double) -> Int64 {
            let row = Double(pageBytes) / max(1, rowsOnPage)
            let moved = row + 130 + Double(indexCount) * 90
            return Int64(row * imageShare + hotShare * 120 + (1 - hotShare) * moved)
        }

        private static func indexes(of target: Target, _ connection: PostgresConnection) throws -> [(String, String)] {
            let written: [Target.Column] =
                switch target.change {
                case .set(let assignments): assignments.map(\.column)
                case .compute(_, let writes): writes
                }
            // From PostgreSQL 16 on, a BRIN index needs no entry for a new version on the same page. Expressions and
            // conditions of an index name their columns in pg_depend.
            let result = try connection.execute(
                """
                SELECT DISTINCT ON (a.attnum) pg_catalog.quote_ident(c.relname), pg_catalog.quote_ident(a.attname)
                FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_am AS m ON m.oid = c.relam
                JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY ($2::int2[])
                WHERE i.indrelid = $1::oid
                    AND (m.amname <> 'brin' OR pg_catalog.current_setting('server_version_num')::int < 160000)
                    AND (a.attnum = ANY (i.indkey::int2[]) OR EXISTS (SELECT FROM pg_depend AS d
                        WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                            AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid
                            AND d.refobjsubid = a.attnum))
                ORDER BY a.attnum, c.relname
                """, ["\(target.oid)", "{\(written.map { "\($0.number)" }.joined(separator: ","))}"])
            return (0..<result.rows).map { (result.text($0, 0) ?? "", result.text($0, 1) ?? "") }
        }

        /// The share of a page's rows for whose new versions the page has places left.
        ///
        /// A page has as many places as rows without a column would fill it (`MaxHeapTuplesPerPage`: 24 bytes of header
        /// and 4 of the place for each row). A HOT update takes one more place for its row, permanently.
        var roomForPlaces: Double {
            let places = Double((pageBytes - 24) / 28)
            return rowsOnPage > 0 ? max(0, places - rowsOnPage) / rowsOnPage : 1
        }

        /// The stripes for a page's rows: from half as many as it has, where they are even, up to all, where they are not.
        func choice(of counts: ClosedRange<Int>) -> PageSample.Choice {
            func bounded(_ count: Double) -> Int { min(max(Int(count), counts.lowerBound), counts.upperBound) }
            let few = min(bounded(rowsOnPage / 2), OrderChoice.usualStripes)
            return sample.best(of: few...max(few, bounded(rowsOnPage)))
                ?? PageSample.Choice(rule: .hash, stripes: few, moved: 1.6 / Double(few))
        }
    }
}

extension Target {
    fileprivate var isSet: Bool { if case .set = change { true } else { false } }
}
