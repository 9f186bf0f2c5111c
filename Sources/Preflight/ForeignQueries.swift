import Batches
import Ledger
import Postgres

/// Tells whether a job's SQL may run foreign queries: subqueries, or functions that are not PostgreSQL's own. Foreign
/// queries are planned in coord's sessions, under the settings that coord's statements need.
enum ForeignQueries {
    /// - Returns: false only when the SQL certainly runs none.
    static func stand(in change: Target.Change, predicate: String?, _ connection: PostgresConnection) throws -> Bool {
        var texts = [predicate ?? ""]
        if case .set(let assignments) = change { texts += assignments.map(\.expression) }
        let text = texts.joined(separator: " ; ")
        let words = text.lowercased().split { !$0.isLetter && $0 != "_" }
        if ["select", "table", "values"].contains(where: { words.contains($0) }) { return true }
        let called = calls(in: text)
        guard !called.contains("") else { return true }
        guard !called.isEmpty else { return false }
        var parameters = PostgresParameters()
        parameters.beginArray(elementType: ElementType.text.rawValue)
        for name in called { Array(name.utf8).withUnsafeBytes { parameters.appendElement($0) } }
        parameters.endArray()
        return try connection.executePrepared(
            "coord_foreign",
            """
            SELECT EXISTS (SELECT FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
                WHERE p.proname::pg_catalog.text = ANY ($1) AND l.lanname NOT IN ('internal', 'c')
                    AND p.pronamespace <> 'pg_catalog'::pg_catalog.regnamespace)
            """, parameters
        ).bool(0, 0) ?? true
    }

    /// The names before an opening parenthesis, folded to lower case; an empty text for a name in double quotes.
    private static func calls(in text: String) -> Set<String> {
        var names: Set<String> = []
        var word = ""
        var last = ""
        for scalar in text.unicodeScalars {
            if scalar.properties.isAlphabetic || scalar == "_" || scalar == "$" || ("0"..."9").contains(scalar) {
                word.unicodeScalars.append(scalar)
                continue
            }
            if !word.isEmpty { last = word.lowercased() }
            word = ""
            switch scalar {
            case "(":
                if !last.isEmpty { names.insert(last == "\"" ? "" : last) }
                last = ""
            case " ", "\n", "\t", "\r": break
            case "\"": last = "\""
            default: last = ""
            }
        }
        return names
    }
}
