import Glibc

/// Files of keys: read only where nobody else could have read or changed them, and written so that nobody can.
enum GuardedFile {
    /// Bytes of a key file at the most.
    static let sizeLimit = 4096
    static let secretMode: mode_t = 0o600
    static let publicMode: mode_t = 0o644
    static let folderMode: mode_t = 0o700
    /// Rights of group and others that a secret must not have.
    private static let foreign: mode_t = 0o077
    /// Rights of group and others by which they could change a file or a folder.
    private static let writing: mode_t = 0o022

    /// - Parameter isSecret: refused when group or others could read it; else when they could write it.
    /// - Returns: nil when there is no such file.
    static func read(_ path: String, isSecret: Bool) throws(TrustError) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw unreadable(path)
        }
        defer { close(descriptor) }
        // Of what was opened, which may be another file than the path leads to by now.
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= sizeLimit else {
            throw TrustError(.malformed, "\(path) is no key file: it is no file, or a long one", mend: "")
        }
        try check(status, path, isSecret ? foreign : writing, mend: isSecret ? "600" : "go-w")
        var bytes = [UInt8](repeating: 0, count: sizeLimit)
        var count = 0
        while count < sizeLimit {
            let more = bytes.withUnsafeMutableBytes { buffer in
                Glibc.read(descriptor, buffer.baseAddress! + count, sizeLimit - count)
            }
            if more < 0, errno == EINTR { continue }
            guard more >= 0 else { throw unreadable(path) }
            if more == 0 { break }
            count += more
        }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    /// Names of the files of a folder that have this ending, without it; none where there is no folder.
    /// - Throws: also when others could put files there, and when not all names could be read.
    static func names(in folder: String, ending: String) throws(TrustError) -> [String] {
        var status = stat()
        guard stat(folder, &status) == 0 else {
            if errno == ENOENT { return [] }
            throw unreadable(folder)
        }
        try check(status, folder, writing, mend: "go-w")
        guard let stream = opendir(folder) else { throw unreadable(folder) }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else { break }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasSuffix(ending), !name.hasPrefix(".") { names.append(String(name.dropLast(ending.count))) }
        }
        guard errno == 0 else { throw unreadable(folder) }
        return names.sorted()
    }

    /// A folder that is there, and that nobody else can change.
    static func checkFolder(_ path: String) throws(TrustError) {
        var status = stat()
        guard stat(path, &status) == 0 else { throw unreadable(path) }
        try check(status, path, writing, mend: "go-w")
    }

    /// Without the right to read it, it is not this user's; for any other reason it may be readable again soon.
    private static func unreadable(_ path: String) -> TrustError {
        let code = errno
        return TrustError(
            code == EACCES || code == EPERM || code == ELOOP ? .exposed : .unreadable,
            "\(path) cannot be read: \(reason(code))", mend: "")
    }

    /// Writes a file as a whole, or not at all.
    /// - Parameter replaces: whether a file that is there goes; else it is an error.
    static func write(_ text: String, to path: String, mode: mode_t, replaces: Bool) throws(TrustError) {
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        try makeFolder(String(path[..<slash]))
        let draft = "\(path).\(getpid()).draft"
        unlink(draft)
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw failure(path) }
        defer {
            close(descriptor)
            unlink(draft)
        }
        let bytes = Array(text.utf8)
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count, fchmod(descriptor, mode) == 0,
            fsync(descriptor) == 0
        else { throw failure(path) }
        if replaces {
            guard rename(draft, path) == 0 else { throw failure(path) }
        } else if link(draft, path) != 0 {
            guard errno == EEXIST else { throw failure(path) }
            throw TrustError(.missing, "\(path) is there already: nothing was changed", mend: "")
        }
        keep(String(path[..<slash]))
    }

    /// Removes a file so that it stays removed, also when the power fails.
    /// - Returns: nil, or why it is still there.
    static func remove(_ path: String) -> String? {
        guard unlink(path) == 0 else { return reason(errno) }
        keep(String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]))
        return nil
    }

    /// Has the disk write a folder's names. Some file systems cannot, and need not.
    private static func keep(_ folder: String) {
        let descriptor = open(folder.isEmpty ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }

    /// Makes a folder that only this user can enter, with those above it.
    static func makeFolder(_ path: String) throws(TrustError) {
        if path.isEmpty || access(path, F_OK) == 0 { return }
        if let slash = path.lastIndex(of: "/") { try makeFolder(String(path[..<slash])) }
        guard mkdir(path, folderMode) == 0 || errno == EEXIST else { throw failure(path) }
    }

    private static func failure(_ path: String) -> TrustError {
        TrustError(.exposed, "\(path) cannot be written: \(reason(errno))", mend: "")
    }

    private static func check(_ status: stat, _ path: String, _ rights: mode_t, mend: String) throws(TrustError) {
        guard status.st_uid == geteuid() || status.st_uid == 0 else {
            throw TrustError(
                .exposed, "\(path) belongs to another user, who could change it", mend: "chown it to yourself")
        }
        guard status.st_mode & rights != 0 else { return }
        let what = rights == foreign ? "can be read by others than you" : "can be changed by others than you"
        let mode = String(status.st_mode & 0o777, radix: 8)
        throw TrustError(.exposed, "\(path) \(what) (mode \(mode)): it is not used", mend: "chmod \(mend) \(path)")
    }

    private static func reason(_ code: Int32) -> String { String(cString: strerror(code)) }
}
