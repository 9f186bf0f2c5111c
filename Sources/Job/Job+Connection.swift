extension Job {
    /// Why a connection string is refused, or `nil` when it holds no password.
    ///
    /// Looks in every place where libpq reads a password: before the `@` of a URI, in a URI's parameters and in
    /// key=value pairs. Also refuses a text that libpq would misread and that may hold a password. The reason never
    /// quotes the text.
    ///
    /// - Parameter s: what libpq accepts as `dbname`: a URI, key=value pairs or the name of a database.
    public static func checkConnection(_ s: String) -> String? {
        let text = s.drop(while: \.isWhitespace)
        let scheme = text.prefix { $0 != ":" && $0 != "=" && !$0.isWhitespace }
        if text.dropFirst(scheme.count).hasPrefix("://") {
            return checkURI(text.dropFirst(scheme.count + 3))
        }
        return checkPairs(text)
    }

    private static let secretKeywords: Set<String> = ["password", "sslpassword"]

    /// Refuses a password before the `@` or in a parameter of what follows `postgresql://`.
    private static func checkURI(_ rest: Substring) -> String? {
        // libpq ends the user's part at '@' or '/', so a password may hold a '?'. A '/' in a password breaks libpq's
        // reading, and libpq would show the password as a port. So both readings are searched.
        for authority in [rest.prefix { $0 != "/" }, rest.prefix { $0 != "?" }] {
            if let at = authority.lastIndex(of: "@"), authority[..<at].contains(":") {
                return "the connection string holds a password"
            }
        }
        let parameters = rest.drop { $0 != "?" }.split { $0 == "?" || $0 == "&" }
        for parameter in parameters {
            let keyword = percentDecoded(parameter.prefix { $0 != "=" }).lowercased()
            if secretKeywords.contains(keyword) { return "the connection string holds the parameter '\(keyword)'" }
        }
        return nil
    }

    /// Refuses a password in key=value pairs, read as libpq's conninfo_parse does: quotes, backslashes, spaces around `=`.
    private static func checkPairs(_ text: Substring) -> String? {
        var rest = text
        while true {
            rest = rest.drop(while: \.isWhitespace)
            guard !rest.isEmpty else { return nil }
            let keyword = rest.prefix { $0 != "=" && !$0.isWhitespace }
            rest = rest.dropFirst(keyword.count).drop(while: \.isWhitespace)
            let name = keyword.lowercased()
            guard rest.first == "=" else {
                // Not key=value pairs: libpq takes the whole for a database's name, or fails.
                return secretKeywords.contains { text.lowercased().contains($0 + "=") || name == $0 }
                    ? "the connection string holds a password" : nil
            }
            if secretKeywords.contains(name) { return "the connection string holds '\(name)='" }
            rest = afterValue(rest.dropFirst().drop(while: \.isWhitespace))
        }
    }

    private static func afterValue(_ text: Substring) -> Substring {
        let isQuoted = text.first == "'"
        var rest = isQuoted ? text.dropFirst() : text
        while let character = rest.popFirst() {
            if character == "\\" {
                _ = rest.popFirst()
            } else if isQuoted ? character == "'" : character.isWhitespace {
                break
            }
        }
        return rest
    }

    private static func percentDecoded(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8
        while let byte = rest.popFirst() {
            let digits = rest.prefix(2)
            if byte == UInt8(ascii: "%"), digits.count == 2, let value = UInt8(String(Substring(digits)), radix: 16) {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
