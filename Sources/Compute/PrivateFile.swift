import Glibc

/// A file that only this user can read, which goes with its last reference.
final class PrivateFile {
    let path: String

    /// Where such files are made.
    static var folder: String {
        guard let folder = getenv("TMPDIR").map({ String(cString: $0) }), folder.hasPrefix("/") else { return "/tmp" }
        return folder
    }

    /// - Returns: nil when it cannot be written; errno says why.
    init?(_ text: String) {
        var name = Array("\(Self.folder)/coord-XXXXXX".utf8CString)
        let descriptor = mkstemp(&name)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        path = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let reason = errno
                unlink(path)
                errno = reason
                return nil
            }
            rest.removeFirst(count)
        }
    }

    deinit { unlink(path) }
}
