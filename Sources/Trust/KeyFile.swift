import ZeroMQ

/// A key as a file has it: lines of a member and its value. With the secret it is a `.key` file, without it a `.pub` file.
package struct KeyFile: Sendable, Equatable {
    package var name: KeyName
    /// When the pair was made, in UTC.
    package var created: String
    package var publicKey: CurvePublicKey
    /// The pair, where the file has its secret.
    var pair: CurveKeyPair?

    init(name: KeyName, created: String, pair: CurveKeyPair) {
        self.name = name
        self.created = created
        publicKey = pair.publicKey
        self.pair = pair
    }

    /// - Parameter file: for an error.
    init(parsing text: String, file: String) throws(TrustError) {
        var members: [Substring: Substring] = [:]
        for line in text.split(whereSeparator: \.isNewline) where !line.hasPrefix("#") {
            guard let colon = line.firstRange(of: ": ") else { continue }
            members[line[..<colon.lowerBound]] = line[colon.upperBound...]
        }
        func fault(_ member: String) -> TrustError {
            // Not what it has there: that may be a secret.
            TrustError(
                .malformed, "\(file) is no key file: it has no \(member), or none that can be read",
                mend: "copy it again, as a whole, or: coord keys new NAME")
        }
        guard let name = members["name"].flatMap({ KeyName($0) }) else { throw fault("name") }
        guard let publicKey = members["public"].flatMap({ CurvePublicKey($0) }) else { throw fault("public key") }
        self.name = name
        self.publicKey = publicKey
        created = String(members["created"] ?? "").filter { $0.isASCII && !$0.isWhitespace }
        guard let secret = members["secret"] else { return }
        guard let pair = CurveKeyPair(secret: secret), pair.publicKey == publicKey else { throw fault("secret") }
        self.pair = pair
    }

    /// The file without the secret.
    package var publicText: String { "# coord public key\n" + members }

    /// The file with the secret, where this has one.
    var secretText: String? {
        guard let pair else { return nil }
        return "# coord key pair. Whoever has its secret is \(name): keep this file to yourself.\n" + members
            + "secret: \(pair.secret)\n"
    }

    private var members: String { "name: \(name)\ncreated: \(created)\npublic: \(publicKey)\n" }

    package static func == (left: KeyFile, right: KeyFile) -> Bool {
        left.name == right.name && left.created == right.created && left.publicKey == right.publicKey
            && left.pair?.secret == right.pair?.secret
    }
}
