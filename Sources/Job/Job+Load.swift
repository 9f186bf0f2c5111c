import Glibc

extension Job {
    /// Reads and checks a job file.
    ///
    /// - Parameter path: a regular file of UTF-8 text, at most ``maximumFileBytes``.
    /// - Throws: a ``JobError`` that names every place to mend, up to ten.
    public static func load(path: String) throws(JobError) -> Job {
        let bytes: [UInt8]
        let directory: String
        do throws(Complaint) {
            bytes = try readFile(path)
            directory = try absoluteDirectory(of: path)
        } catch {
            throw JobError(file: path, first: .init(message: error.message, mend: error.mend))
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw JobError(
                file: path,
                first: .init(
                    line: lineOfInvalidUTF8(bytes), message: "the file is not valid UTF-8 text",
                    mend: "Save it again with the encoding UTF-8."))
        }
        return try parse(text: text, file: path, directory: directory)
    }

    /// Checks the text of a job file.
    ///
    /// - Parameters:
    ///   - text: YAML, at most ``maximumFileBytes``.
    ///   - file: the file's name for messages; its base name is the default of `name`.
    ///   - directory: the absolute path of the folder that commands run in.
    /// - Throws: a ``JobError`` that names every place to mend, up to ten.
    public static func parse(text: String, file: String, directory: String) throws(JobError) -> Job {
        let document: JobDocument
        do throws(JobError.Item) {
            document = try JobDocument(text: text)
        } catch {
            throw JobError(file: file, first: error)
        }
        var parser = JobParser(document: document, file: file)
        let job = parser.job(directory: directory, text: text)
        if let first = parser.errors.first {
            throw JobError(file: file, first: first, others: Array(parser.errors.dropFirst()))
        }
        guard let job else { throw JobError(file: file, first: .init(message: "the file holds no job")) }
        return job
    }

    private static func readFile(_ path: String) throws(Complaint) -> [UInt8] {
        // Non-blocking: the open of a FIFO must not wait, so that the check below can refuse it.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw complaint(errno: errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw complaint(errno: errno) }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFDIR: throw Complaint("this is a directory, not a job file", mend: "Name the YAML file inside it.")
        default: throw Complaint("this is not a regular file")
        }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        // Reads at least one byte beyond the limit, so that the parser can tell that the file is too large.
        while bytes.count <= maximumFileBytes {
            let count = read(descriptor, &buffer, buffer.count)
            if count == 0 { break }
            if count > 0 {
                bytes.append(contentsOf: buffer.prefix(count))
            } else if errno != EINTR {
                throw complaint(errno: errno)
            }
        }
        guard bytes.count <= maximumFileBytes else { throw tooLarge }
        return bytes
    }

    static var tooLarge: Complaint {
        Complaint(
            "the file is larger than 1 MiB (\(maximumFileBytes) bytes), the limit for a job file",
            mend: "Move large parts into a program or an SQL function, and call that from the job.")
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
