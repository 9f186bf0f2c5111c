extension Job {
    /// Reads and checks a job file.
    ///
    /// - Parameter path: a regular file of UTF-8 text, at most ``maximumFileBytes``.
    /// - Throws: a ``JobError`` that names every place to mend, up to ten.
    public static func load(path: String) throws(JobError) -> Job {
        let file = try YAMLFile(path: path, .job)
        return try parse(text: file.text, file: path, directory: file.directory)
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
}
