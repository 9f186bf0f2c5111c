import Glibc

/// A file that only this user can read. It is removed with the last reference to this object.
final class PrivateFile {
    let path: String

    /// The folder of such files.
    static var folder: String {
        guard let folder = getenv("TMPDIR").map({ String(cString: $0) }), folder.hasPrefix("/") else { return "/tmp" }
        return folder
    }

    /// - Returns: nil when the file cannot be written; errno has the reason.
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
