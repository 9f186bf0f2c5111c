import Job

/// `DATABASE_URL`, by which web frameworks name their database.
///
/// Their libraries take schemes, parameters and characters that libpq does not. What libpq would misread is refused, since
/// its messages would show a part of the password; no message here repeats any of the text but the names of parameters.
struct DatabaseURL: Equatable {
    static let variable = "DATABASE_URL"

    /// A URI for libpq. It may hold a password: it is for the connection alone.
    var conninfo: String
    /// Names of parameters that were left out, since libpq does not know them.
    var ignored: [String]

    /// Why the variable does not lead to a database.
    enum Refusal: Error, Equatable {
        /// Another database's.
        case foreign
        /// It cannot be read as it was meant.
        case unclear(String)
    }

    /// Parameters by which other libraries choose a schema.
    private static let schemas: Set<String> = ["schema", "currentschema", "search_path", "searchpath"]

    /// - Parameter known: the parameters that libpq knows.
    init(_ text: String, known: Set<String>) throws(Refusal) {
        guard let mark = text.firstRange(of: "://"), text[..<mark.lowerBound].lowercased().hasPrefix("postg") else {
            throw .foreign
        }
        let rest = text[mark.upperBound...]
        guard Self.isPercentEncoded(rest) else { throw .unclear("a % in it does not begin a percent-encoded byte") }
        try Self.checkAuthority(rest)
        // As libpq, which looks for '?' behind the user's part.
        let body = rest.prefix { $0 != "/" }.contains("@") ? rest.drop { $0 != "@" } : rest
        let question = body.firstIndex(of: "?") ?? rest.endIndex
        var (kept, ignored): ([Substring], [String]) = ([], [])
        for parameter in rest[question...].dropFirst().split(separator: "&") {
            let name = String(parameter.prefix { $0 != "=" })
            guard name.count < parameter.count, Self.isName(name) else {
                throw .unclear("a parameter behind its '?' is not of the form name=value")
            }
            let value = parameter.dropFirst(name.count + 1)
            // JDBC's ssl=true is known to libpq, in URIs alone.
            if known.contains(name) || (name == "ssl" && value == "true") {
                kept.append(parameter)
            } else if Self.schemas.contains(name.lowercased()), value != "public" {
                throw .unclear(
                    "it chooses a schema by '\(name)', which libpq does not know: name the table with its schema")
            } else if name.lowercased().hasPrefix("ssl") || name.lowercased().hasPrefix("tls") {
                throw .unclear(
                    "libpq does not know its parameter '\(name)', and without it the connection may not be safe")
            } else {
                ignored.append(name)
            }
        }
        conninfo = "postgresql://" + rest[..<question] + (kept.isEmpty ? "" : "?" + kept.joined(separator: "&"))
        self.ignored = ignored
    }

    /// Refuses what libpq would cut elsewhere than it was meant: a password with '/' or '@', or a host without user.
    private static func checkAuthority(_ rest: Substring) throws(Refusal) {
        let unencoded = "its password has a character that must be percent-encoded (/ is %2F, @ is %40, ? is %3F)"
        let head = rest.prefix { $0 != "/" }
        let hosts: Substring
        if let at = head.firstIndex(of: "@") {
            hosts = head[head.index(after: at)...].prefix { $0 != "?" }
        } else {
            if rest.prefix(while: { $0 != "?" }).contains("@") { throw .unclear(unencoded) }
            hosts = head.prefix { $0 != "?" }
        }
        if hosts.contains("@") { throw .unclear(unencoded) }
        for host in hosts.split(separator: ",") {
            let name = host.hasPrefix("[") ? host.drop { $0 != "]" }.dropFirst() : host.drop { $0 != ":" }
            if name.hasPrefix(":"), !name.dropFirst().allSatisfy({ ("0"..."9").contains($0) }) {
                throw .unclear("what follows the ':' of its host is no port")
            }
        }
    }

    private static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 63
            && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == "-" || $0 == ".") }
    }

    private static func isPercentEncoded(_ text: Substring) -> Bool {
        text.split(separator: "%", omittingEmptySubsequences: false).dropFirst().allSatisfy { part in
            let digits = part.utf8.prefix(2)
            return digits.count == 2 && digits.allSatisfy { Character(Unicode.Scalar($0)).isHexDigit }
                && String(Substring(part.prefix(2))) != "00"
        }
    }
}
