import Testing

@testable import Job

/// Parses `text` as `jobs/a.yaml`.
func parse(_ text: String, file: String = "jobs/a.yaml") throws(JobError) -> Job {
    try Job.parse(text: text, file: file, directory: "/jobs")
}

/// The error that `text` is refused with, or `nil` when it is taken for a job.
func refusal(of text: String, file: String = "jobs/a.yaml") -> JobError? {
    do throws(JobError) {
        _ = try parse(text, file: file)
        return nil
    } catch {
        return error
    }
}

/// A job file that must be refused at a line with words in the message and in how to mend it.
struct Refusal: CustomTestStringConvertible, Sendable {
    let text: String
    let line: Int?
    let message: String
    let mend: String?

    /// `line` is where the first error must stand; `message` and `mend` must be part of the error's.
    init(_ text: String, line: Int?, _ message: String, mend: String? = nil) {
        self.text = text
        self.line = line
        self.message = message
        self.mend = mend
    }

    /// A refusal of a job that is complete but for `lines`, which start at line 3.
    static func adding(_ lines: String, line: Int = 3, _ message: String, mend: String? = nil) -> Refusal {
        Refusal("table: t\nset: { a: b }\n" + lines, line: line, message, mend: mend)
    }

    /// A refusal of a job with `lines` below `compute:`, which start at line 3.
    static func compute(_ lines: String, line: Int = 3, _ message: String, mend: String? = nil) -> Refusal {
        Refusal("table: t\ncompute:\n" + lines, line: line, message, mend: mend)
    }

    var testDescription: String { message }

    func check(sourceLocation: SourceLocation = #_sourceLocation) throws {
        let error = try #require(refusal(of: text), "taken for a job:\n\(text)", sourceLocation: sourceLocation)
        #expect(error.errors.count == 1, "\(error)", sourceLocation: sourceLocation)
        #expect(error.line == line, "\(error)", sourceLocation: sourceLocation)
        #expect(error.message.contains(message), "\(error)", sourceLocation: sourceLocation)
        if let mend { #expect(error.mend?.contains(mend) == true, "\(error)", sourceLocation: sourceLocation) }
    }
}

let validJob = """
    name: rebuild-field3
    table: public."Order Items"
    key: [a, '"B c"']
    where: field3 IS NULL
    set:
      field3: upper(field1) || '-' || field2 * 3
      "field4": &four |
        CASE WHEN a > 1 THEN 'x: y'
        ELSE '#' END
      field5: *four
    batch: { rows: 500, bytes: 64KiB }
    shards: 12
    retry: { attempts: 3, backoff: 500ms, max_backoff: 2m }
    database: postgresql://app@db/app

    """
