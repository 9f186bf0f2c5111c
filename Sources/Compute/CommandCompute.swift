import Batches
import CoordKit
import Glibc
import Host
import Sharding

/// A compute program that gets batch after batch: for each row one JSON line in and one JSON line out, in any order.
///
/// The program is started at the first batch, and again after its death. While it works, only this worker's thread
/// waits for it: no transaction is open, except for rows that were read under a lock.
package final class CommandCompute: BatchCompute {
    /// Bytes of an answer that an error quotes.
    static let quotedBytes = 200
    /// Bytes of an answer's member beside its name and its value: quotes, colon, comma, null, white space.
    private static let memberBytes = 16

    private let command: [String]
    /// The name for people.
    package let name: String
    private let directory: String
    private let timeout: Duration
    private let leash: String?
    private let environment: ProgramEnvironment
    private let key: KeySchema
    /// The text before each value of a line: `{"id":`, then `,"field1":` and so on.
    private let prefixes: [[UInt8]]
    private let forms: [JSONLine.Form]
    private let columns: [AnswerColumn]
    private let lostDigits: LostDigits
    private let batchBytes: Int
    /// Bytes of a row's answer beside its values: the names of all columns, since a program may echo the row.
    private let rowBytes: Int
    private let memory = ProgramMemory()
    private var process: CommandProcess?
    /// Whether a program of this worker has answered a row.
    private var hasAnswered = false
    private var outgoing: [UInt8] = []
    private var incoming: [UInt8] = []
    /// The program's recent time for one answer. It decides how long answers gather before a read.
    private var pace = Duration.zero

    /// - Parameters:
    ///   - quotesNumbers: whether values of bigint and numeric columns are sent as strings.
    ///   - applicationName: `PGAPPNAME` for the program's connections to PostgreSQL; nil leaves it unset.
    package init(
        command: [String], directory: String, timeout: Duration, target: Target, read: [Target.Column],
        writes: [Target.Column], batchRows: Int, batchBytes: Int, quotesNumbers: Bool = false,
        applicationName: String? = nil, leash: String? = nil
    ) {
        self.leash = leash
        self.command = command
        self.directory = directory
        self.timeout = timeout
        self.batchBytes = batchBytes
        name = ProgramName.of(command).withVisibleControls
        key = target.key
        let sent = target.key.columns + read
        prefixes = sent.enumerated().map { index, column in
            var prefix: [UInt8] = [index == 0 ? 123 : 44]
            JSONLine.appendString(column.name, to: &prefix)
            return prefix + [58]
        }
        let forms = sent.map { JSONLine.Form.of($0.value, quotesNumbers: quotesNumbers) }
        self.forms = forms
        columns = writes.map { AnswerColumn(name: $0.name, typeName: $0.typeName, form: .of($0.value)) }
        lostDigits = LostDigits(
            key: target.key,
            sources: sent.indices.map { index in
                .init(
                    column: Self.batchColumn(index, target.key), name: "column \(sent[index].name)", form: forms[index])
            })
        // Names count three times: an escape has six bytes for a character of two.
        rowBytes = (sent + writes).reduce(16) { $0 + $1.name.utf8.count * 3 + Self.memberBytes }
        environment = ProgramEnvironment(
            target: target, read: read, writes: writes, batchRows: batchRows, batchBytes: batchBytes,
            applicationName: applicationName)
    }

    // MARK: - A batch

    package var epitaph: String? {
        guard let words = process?.epitaph(waiting: false, saysRunning: false), !words.isEmpty else { return nil }
        return words
    }

    package var programMemory: ProgramMemory? { memory }

    package func compute(_ batch: RowBatch) throws -> RowBatch {
        do {
            return try exchange(batch)
        } catch {
            // End it: its late answers would be taken for answers to the next batch.
            process?.end()
            process = nil
            guard var error = error as? ComputeError else { throw error }
            error.beforeFirstAnswer = !hasAnswered
            throw error
        }
    }

    private func exchange(_ batch: RowBatch) throws -> RowBatch {
        let process = try running()
        encode(batch)
        incoming.removeAll(keepingCapacity: incoming.capacity <= 4 << 20)
        var answers = AnswerCollector(batch: batch, columns: columns, key: key, lostDigits: lostDigits)
        let started = MonotonicTime.now()
        let bytes = answerLimit(batch)
        var sent = 0
        var consumed = 0
        while answers.missing > 0 {
            let elapsed = MonotonicTime.now() - started
            guard elapsed < timeout else { throw timedOut(answers, of: batch, process) }
            var closed = false
            if let count = process.send(outgoing, from: sent) {
                sent = count
                if sent == outgoing.count { gather(answers.missing) }
                let patience = min((timeout - elapsed) / .milliseconds(1) + 1, 1000)
                process.wait(sending: sent < outgoing.count, milliseconds: patience)
                process.drainErrors()
            } else {
                // The program has ended or soon will. Its earlier answers are still to be read.
                closed = true
                _ = process.epitaph(waiting: true)
            }
            let ended = process.receive(&incoming, limit: bytes)
            guard incoming.count <= bytes else { throw tooLong(bytes) }
            consumed = try take(&answers, from: consumed)
            if answers.missing < batch.rows { hasAnswered = true }
            guard answers.missing == 0 || !(ended || closed) else {
                throw endedTooEarly(answers, of: batch, process, hasClosedInput: closed)
            }
        }
        guard consumed == incoming.count else {
            let line = incoming[consumed...].prefix { $0 != 10 }.withUnsafeBytes { quote($0) }
            let words = ["\(name) wrote more lines than it was given rows; the next is \(line)"] + lastWords
            throw ComputeError(
                description: words.joined(separator: "; "), reason: "more lines than rows")
        }
        pace = (MonotonicTime.now() - started) / max(batch.rows, 1)
        return answers.finish()
    }

    /// The byte limit of a batch's answers: eight times the bytes of its values, or of the job's limit if that is more,
    /// at least 1 MiB, plus the names and nulls of its rows.
    private func answerLimit(_ batch: RowBatch) -> Int {
        max(max(batchBytes, batch.bytes) * 8, 1 << 20) + batch.rows * rowBytes
    }

    private func running() throws -> CommandProcess {
        if let process { return process }
        let (variables, files) = try environment.prepare()
        let fresh = try CommandProcess(
            command: command, directory: directory, environment: variables, files: files, memory: memory, leash: leash)
        process = fresh
        return fresh
    }

    /// The batch's column of a sent column: xmin and ctid stand between the key and the columns that the job reads.
    private static func batchColumn(_ sent: Int, _ key: KeySchema) -> Int {
        sent < key.count ? sent : sent - key.count + key.systemColumns
    }

    private func encode(_ batch: RowBatch) {
        // Local, since each access to a class's property costs an exclusivity check and a reference count.
        var lines: [UInt8] = []
        swap(&lines, &outgoing)
        lines.removeAll(keepingCapacity: lines.capacity <= 4 << 20)
        let columns = zip(prefixes, forms).enumerated().map { (Self.batchColumn($0, key), $1.0, $1.1) }
        for row in 0..<batch.rows {
            for (column, prefix, form) in columns {
                lines.append(contentsOf: prefix)
                batch.withBytes(row: row, column: column) { bytes in
                    JSONLine.append(bytes, as: form, to: &lines)
                }
            }
            lines.append(125)
            lines.append(10)
        }
        swap(&lines, &outgoing)
    }

    // MARK: - Errors

    private func timedOut(_ answers: AnswerCollector, of batch: RowBatch, _ process: CommandProcess) -> ComputeError {
        let answered = batch.rows - answers.missing
        return ComputeError(
            description:
                "\(name) answered \(answered) of \(batch.rows) rows within \(timeout)\(firstMissing(answers)): it "
                + "hangs, skips rows or keeps its answers in a buffer; \(process.epitaph(waiting: false))",
            reason: "no answer within \(timeout)", key: answered > 0 ? answers.firstMissing : nil)
    }

    private func endedTooEarly(
        _ answers: AnswerCollector, of batch: RowBatch, _ process: CommandProcess, hasClosedInput: Bool
    ) -> ComputeError {
        let answered = batch.rows - answers.missing
        let epitaph = process.epitaph(waiting: true)
        let what = process.ending != nil ? "ended" : hasClosedInput ? "closed its input" : "closed its output"
        // A program that fails at its first row may fail for another reason than the row, for example a service that is
        // away. After some answers, a repeated failure at the same row is that row's doing.
        let isOfRow = answered > 0 && !process.wasKilled
        return ComputeError(
            description:
                "\(name) \(what) after \(answered) of \(batch.rows) answers\(firstMissing(answers)): \(epitaph)",
            reason: process.ending.map { "ended early: \($0)" } ?? what, key: isOfRow ? answers.firstMissing : nil)
    }

    /// `, the first row without one is key 17`
    private func firstMissing(_ answers: AnswerCollector) -> String {
        answers.firstMissing.map { ", the first row without one is key \(shown($0))" } ?? ""
    }

    private func tooLong(_ limit: Int) -> ComputeError {
        let reason = "\(name) answered a batch with more than \(limit) bytes, eight times its limit"
        return ComputeError(description: ([reason] + lastWords).joined(separator: "; "), reason: reason)
    }

    private func unusable(_ fault: AnswerFault, _ line: UnsafeRawBufferPointer) -> ComputeError {
        let reason = fault.reason.withVisibleControls
        let key = fault.key.map { "key \(shown($0)): " } ?? ""
        let words = ["\(name): an answer cannot be used: \(key)\(reason); it is \(quote(line))"] + lastWords
        return ComputeError(
            description: words.joined(separator: "; "), reason: reason, key: fault.key, column: fault.column)
    }

    private var lastWords: [String] { epitaph.map { [$0] } ?? [] }

    private func quote(_ line: UnsafeRawBufferPointer) -> String { String(excerpt: line, limit: Self.quotedBytes) }

    private func shown(_ key: Key) -> String {
        var key = key.description
        return key.withUTF8 { quote(UnsafeRawBufferPointer($0)) }
    }

    // MARK: - Answers

    /// Lets answers gather for a moment: otherwise a program that writes line by line would wake this thread for each
    /// line.
    private func gather(_ missing: Int) {
        let pause = min(pace * missing / 2, .milliseconds(2))
        guard pause > .microseconds(50) else { return }
        MonotonicTime.pause(for: pause)
    }

    /// Takes the complete lines that have come.
    private func take(_ answers: inout AnswerCollector, from consumed: Int) throws -> Int {
        var consumed = consumed
        try incoming.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            while consumed < bytes.count,
                let newline = memchr(base + consumed, 10, bytes.count - consumed)
            {
                let length = newline - UnsafeMutableRawPointer(mutating: base + consumed)
                let line = UnsafeRawBufferPointer(start: base + consumed, count: length)
                consumed += length + 1
                if line.allSatisfy({ $0 == 32 || $0 == 13 || $0 == 9 }) { continue }
                do throws(AnswerFault) { try answers.add(line) } catch { throw unusable(error, line) }
            }
        }
        return consumed
    }
}
