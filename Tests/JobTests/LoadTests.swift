import Glibc
import Testing

@testable import Job

/// Runs a test with a temporary folder, which is removed with its content afterwards.
private func withTemporaryFolder(_ body: (String) throws -> Void) throws {
    var template = Array("/tmp/job-tests-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let resolved = try #require(realpath(template, nil))
    defer { free(resolved) }
    let folder = String(cString: resolved)
    defer {
        for name in ["a.yaml", "pipe", "sub"] where remove(folder + "/" + name) != 0 && errno != ENOENT {
            Issue.record("\(name) is left in \(folder)")
        }
        rmdir(folder)
    }
    try body(folder)
}

private func write(_ bytes: [UInt8], to path: String) throws {
    let file = try #require(fopen(path, "w"))
    try #require(fwrite(bytes, 1, bytes.count, file) == bytes.count)
    try #require(fclose(file) == 0)
}

private func refusal(loading path: String) -> JobError? {
    do throws(JobError) {
        _ = try Job.load(path: path)
        return nil
    } catch {
        return error
    }
}

@Suite struct LoadTests {
    @Test func aFileIsReadAndItsFolderIsAbsolute() throws {
        try withTemporaryFolder { folder in
            try write(Array(validJob.utf8), to: folder + "/a.yaml")
            try #require(mkdir(folder + "/sub", 0o700) == 0)
            let job = try Job.load(path: folder + "/sub/.././a.yaml")
            #expect(job == (try Job.parse(text: validJob, file: "a.yaml", directory: folder)))
        }
    }

    @Test func whatIsNoFileIsRefused() throws {
        try withTemporaryFolder { folder in
            #expect(
                refusal(loading: folder + "/a.yaml")?.description.hasPrefix(folder + "/a.yaml: there is no such file")
                    == true)
            #expect(refusal(loading: "")?.message == "there is no such file")
            #expect(refusal(loading: folder)?.message == "this is a directory, not a job file")
            try #require(mkfifo(folder + "/pipe", 0o600) == 0)
            #expect(refusal(loading: folder + "/pipe")?.message == "this is not a regular file")
        }
    }

    @Test func bytesThatAreNotUTF8AreRefusedWithTheirLine() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/a.yaml"
            try write(Array("table: t\n# ä\nset: { a: '".utf8) + [0xE4] + Array("' }\n".utf8), to: path)
            let error = try #require(refusal(loading: path))
            #expect(error.line == 3)
            #expect(error.message == "the file is not valid UTF-8 text")
        }
    }

    @Test func theLimitOfAFileIsExact() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/a.yaml"
            let job = Array("table: t\nset: { a: b }\n#".utf8)
            let filling = [UInt8](repeating: UInt8(ascii: "x"), count: Job.maximumFileBytes - job.count)
            try write(job + filling, to: path)
            #expect(refusal(loading: path) == nil)
            try write(job + filling + filling.prefix(1), to: path)
            #expect(refusal(loading: path)?.message.contains("larger than 1 MiB") == true)
        }
    }
}

@Suite struct SampleTests {
    static let config: String = {
        // This file is Tests/JobTests/LoadTests.swift, three levels below the checkout.
        let parts = #filePath.split(separator: "/").dropLast(3)
        return "/" + parts.joined(separator: "/") + "/Config"
    }()

    @Test func theSamplesAreJobs() throws {
        let expression = "upper(field1) || '-' || field2 * 3"
        for name in ["demo", "set", "command", "transform"] {
            let job = try Job.load(path: "\(Self.config)/\(name).yaml")
            #expect(job.table == TableName(schema: "public", name: "the_object"))
            #expect(job.key == ["id"])
            #expect(job.directory.hasSuffix("/Config"))
            switch (name, job.change) {
            case ("demo", .set(let assignments)), ("set", .set(let assignments)):
                #expect(assignments.map(\.column) == ["field3"])
                #expect(assignments.map(\.expression.sql) == [expression])
                #expect((job.predicate == nil) == (name == "demo"))
                #expect(job.name == (name == "demo" ? "demo" : "rebuild-field3"))
            case ("command", .compute(let compute)):
                #expect(compute.program == .command(["python3", "compute.py"]))
                #expect(compute.read == ["field1", "field2"])
                #expect(access("\(job.directory)/compute.py", R_OK) == 0)
            case ("transform", .compute(let compute)):
                #expect(compute.program == .transform("passthrough"))
                #expect(compute.writes == ["field3"])
            default:
                Issue.record("\(name).yaml holds \(job.change)")
            }
        }
    }
}
