/// Why keys cannot be used or changed. It names files and public keys, and never has a secret.
package struct TrustError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: Sendable, Equatable {
        /// A secret could be read, or the allow-list changed, by others; or this user may not read it.
        case exposed
        /// A key or a file is not there, or is there already.
        case missing
        /// A file or a folder could not be read just now, such as on a disk that is away.
        case unreadable
        /// A file is not what it should be.
        case malformed
    }

    package var code: Code
    var message: String
    /// What to do about it, with the command.
    var mend: String

    package init(_ code: Code, _ message: String, mend: String) {
        self.code = code
        self.message = message
        self.mend = mend
    }

    package var description: String { mend.isEmpty ? message : "\(message)\n  \(mend)" }
}
