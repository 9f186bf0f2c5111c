import Glibc

/// A file's text, as a whole and checked to be text, and the folder that it is in.
struct YAMLFile {
    let text: String
    /// An absolute path.
    let directory: String

    /// - Parameter path: a regular file of UTF-8 text, at most ``Job/maximumFileBytes``.
    init(path: String, _ kind: FileKind) throws(JobError) {
        let bytes: [UInt8]
        do throws(Complaint) {
            bytes = try Self.read(path, kind)
            directory = try Self.absoluteDirectory(of: path)
        } catch {
            throw JobError(file: path, first: .init(message: error.message, mend: error.mend))
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw JobError(
                file: path,
                first: .init(
                    line: Self.lineOfInvalidUTF8(bytes), message: "the file is not valid UTF-8 text",
                    mend: "Save it again with the encoding UTF-8."))
        }
        self.text = text
    }

    private static func read(_ path: String, _ kind: FileKind) throws(Complaint) -> [UInt8] {
        // Non-blocking: the open of a FIFO must not wait, so that the check below can refuse it.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw complaint(errno: errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw complaint(errno: errno) }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFDIR: throw Complaint("this is a directory, not \(kind.subject)", mend: "Name the YAML file inside it.")
        default: throw Complaint("this is not a regular file")
        }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        // Reads at least one byte beyond the limit, so that the parser can tell that the file is too large.
        while bytes.count <= Job.maximumFileBytes {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count == 0 { break }
            if count > 0 {
                bytes.append(contentsOf: buffer.prefix(count))
            } else if errno != EINTR {
                throw complaint(errno: errno)
            }
        }
        guard bytes.count <= Job.maximumFileBytes else { throw kind.tooLarge }
        return bytes
    }

    private static func complaint(errno code: Int32) -> Complaint {
        switch code {
        case ENOENT, ENOTDIR:
            Complaint("there is no such file", mend: "Check the path; it starts at the current folder.")
        case EACCES, EPERM: Complaint("the file may not be read", mend: "Check its permissions, and its folder's.")
        default: Complaint("the file cannot be read (errno \(code))")
        }
    }

    private static func absoluteDirectory(of path: String) throws(Complaint) -> String {
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        guard let resolved = realpath(folder, nil) else { throw complaint(errno: errno) }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    private static func lineOfInvalidUTF8(_ bytes: [UInt8]) -> Int {
        var line = 1
        var parser = Unicode.UTF8.ForwardParser()
        var iterator = bytes.makeIterator()
        while case .valid(let scalar) = parser.parseScalar(from: &iterator) {
            if scalar.first == UInt8(ascii: "\n") { line += 1 }
        }
        return line
    }
}
