import Postgres

// Texts of others in the ledger: errors of programs, names of hosts. Their words matter less than what is written with
// them.
extension LedgerSession {
    /// Runs `body`, which writes texts of others. If the database cannot hold one of them, `body` runs once more with
    /// the texts in ASCII.
    ///
    /// - Parameter body: gets the function that each such text must go through.
    func writingTexts<R>(_ body: ((String) -> String) throws -> R) throws -> R {
        do {
            return try body { $0.unicodeScalars.contains("\0") ? $0.inASCII : $0 }
        } catch let error as PostgresError where error.isAboutText && !connection.isInTransaction {
            return try body(\.inASCII)
        }
    }
}

extension PostgresError {
    /// Whether the database's encoding lacks a character of a text, or forbids one.
    fileprivate var isAboutText: Bool { sqlState == "22P05" || sqlState == "22021" }
}

extension String {
    /// The text with the null character and all that is not ASCII as `\u{…}`. PostgreSQL's encodings all have the rest.
    var inASCII: String {
        unicodeScalars.reduce(into: "") { text, scalar in
            if scalar.isASCII, scalar.value > 0 {
                text.unicodeScalars.append(scalar)
            } else {
                text += "\\u{\(String(scalar.value, radix: 16))}"
            }
        }
    }
}
