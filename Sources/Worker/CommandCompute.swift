import CoordKit
import Glibc
import Ledger

/// A compute program that is fed batch after batch: one JSON object a line in, one out, in any order.
///
/// The program is started at the first batch and again after it died. While it works, nothing waits for it but this
/// worker's thread: no transaction is open.
final class CommandCompute: BatchCompute {
    private let command: [String]
    private let directory: String
    private let timeout: Duration
    private let leash: String?
    private let environment: [String: String]
    private let key: Target.Column
    /// What stands before each value of a line: `{"id":`, then `,"field1":` and so on.
    private let prefixes: [[UInt8]]
    private let forms: [JSONLine.Form]
    private let writes: [Target.Column]
    private let writeNames: [[UInt8]]
    private let writeForms: [JSONLine.Form]
    /// Bytes that the answers to one batch may have.
    private let answerLimit: Int
    private var process: CommandProcess?
    private var outgoing: [UInt8] = []
    private var incoming: [UInt8] = []
    /// What one read may bring.
    private let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 1)
    /// Nanoseconds that the program took for an answer lately: how long to let answers gather.
    private var pace = 0.0

    init(
        command: [String], directory: String, timeout: Duration, target: Target, read: [Target.Column],
        writes: [Target.Column], batchRows: Int, batchBytes: Int, leash: String? = nil
    ) {
        self.leash = leash
        self.command = command
        self.directory = directory
        self.timeout = timeout
        self.writes = writes
        key = target.key
        prefixes = ([target.key] + read).enumerated().map { index, column in
            var prefix: [UInt8] = [index == 0 ? 123 : 44]
            JSONLine.appendString(column.name, to: &prefix)
            return prefix + [58]
        }
        forms = ([target.key] + read).map { JSONLine.Form.of(type: $0.value.base) }
        writeNames = writes.map { Array($0.name.utf8) }
        writeForms = writes.map { JSONLine.Form.of(type: $0.value.base) }
        answerLimit = max(batchBytes * 8, 1 << 20)
        environment = [
            "COORD_PROTOCOL": "1", "COORD_TABLE": target.table, "COORD_KEY": target.key.name,
            "COORD_COLUMNS": Self.describe([target.key] + read), "COORD_WRITES": Self.describe(writes),
            "COORD_BATCH_ROWS": "\(batchRows)", "COORD_BATCH_BYTES": "\(batchBytes)", "PYTHONUNBUFFERED": "1",
        ]
    }

    deinit { chunk.deallocate() }

    /// `[{"name":"id","type":"bigint"}]`
    private static func describe(_ columns: [Target.Column]) -> String {
        var text: [UInt8] = Array("[".utf8)
        for (index, column) in columns.enumerated() {
            text.append(contentsOf: (index == 0 ? "{\"name\":" : ",{\"name\":").utf8)
            JSONLine.appendString(column.name, to: &text)
            text.append(contentsOf: ",\"type\":".utf8)
            JSONLine.appendString(column.typeName, to: &text)
            text.append(125)
        }
        return String(decoding: text, as: UTF8.self) + "]"
    }

    // MARK: - A batch

    var epitaph: String? { process?.epitaph(waiting: false) }

    func compute(_ batch: RowBatch) throws -> RowBatch {
        do {
            return try exchange(batch)
        } catch {
            // Whatever it still has to say would be taken for answers to the next batch.
            process?.end()
            process = nil
            throw error
        }
    }

    private func exchange(_ batch: RowBatch) throws -> RowBatch {
        let process = try running()
        encode(batch)
        incoming.removeAll(keepingCapacity: incoming.capacity <= 4 << 20)
        var answers = AnswerCollector(batch: batch, writes: writeNames, forms: writeForms, key: key.name)
        let started = Self.nanoseconds()
        let limit = Double(timeout.components.seconds) * 1e9 + Double(timeout.components.attoseconds) / 1e9
        var sent = 0
        var consumed = 0
        while answers.missing > 0 {
            let elapsed = Self.nanoseconds() - started
            guard elapsed < limit else {
                throw ComputeError(
                    description: "\(command[0]) answered \(batch.rows - answers.missing) of \(batch.rows) rows within "
                        + "\(timeout): it hangs, skips rows or keeps its answers in a buffer; "
                        + process.epitaph(waiting: false))
            }
            sent = try send(process, from: sent)
            if sent == outgoing.count { gather(answers.missing) }
            try wait(process, sending: sent < outgoing.count, milliseconds: min((limit - elapsed) / 1e6 + 1, 1000))
            process.drainErrors()
            let ended = try receive(process)
            consumed = try take(&answers, from: consumed)
            guard answers.missing == 0 || !ended else {
                throw ComputeError(
                    description: "\(command[0]) ended after \(batch.rows - answers.missing) of \(batch.rows) answers: "
                        + process.epitaph(waiting: true))
            }
        }
        guard consumed == incoming.count else {
            throw ComputeError(
                description: "\(command[0]) wrote more lines than it was given rows; "
                    + process.epitaph(waiting: false))
        }
        pace = (Self.nanoseconds() - started) / Double(max(batch.rows, 1))
        return answers.finish()
    }

    private func running() throws -> CommandProcess {
        if let process { return process }
        let fresh = try CommandProcess(
            command: command, directory: directory, environment: environment, leash: leash)
        process = fresh
        return fresh
    }

    private func encode(_ batch: RowBatch) {
        // Local, since each access to a property is checked and counted.
        var lines: [UInt8] = []
        swap(&lines, &outgoing)
        lines.removeAll(keepingCapacity: lines.capacity <= 4 << 20)
        let columns = Array(zip(prefixes, forms))
        for row in 0..<batch.rows {
            for (column, (prefix, form)) in columns.enumerated() {
                lines.append(contentsOf: prefix)
                // The batch has xmin and ctid between the key and the columns that the job reads.
                batch.withBytes(row: row, column: column == 0 ? 0 : column + systemColumns - 1) { bytes in
                    JSONLine.append(bytes, as: form, to: &lines)
                }
            }
            lines.append(125)
            lines.append(10)
        }
        swap(&lines, &outgoing)
    }

    // MARK: - Streams

    private func send(_ process: CommandProcess, from sent: Int) throws -> Int {
        var sent = sent
        while sent < outgoing.count {
            let count = outgoing.withUnsafeBytes { bytes in
                write(process.input, bytes.baseAddress.map { $0 + sent }, bytes.count - sent)
            }
            if count > 0 {
                sent += count
            } else if errno == EAGAIN {
                break
            } else if errno != EINTR {
                throw ComputeError(
                    description: "\(command[0]) closed its input: \(process.epitaph(waiting: true))")
            }
        }
        return sent
    }

    /// Lets answers gather for a moment: a program that writes line by line would else wake this thread for each.
    private func gather(_ missing: Int) {
        let nanoseconds = min(pace * Double(missing) / 2, 2_000_000)
        guard nanoseconds > 50_000 else { return }
        var pause = timespec(tv_sec: 0, tv_nsec: Int(nanoseconds))
        nanosleep(&pause, nil)
    }

    private func wait(_ process: CommandProcess, sending: Bool, milliseconds: Double) throws {
        var polls = [
            pollfd(fd: process.output, events: Int16(POLLIN), revents: 0),
            pollfd(fd: process.errorDescriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: sending ? process.input : -1, events: Int16(POLLOUT), revents: 0),
        ]
        // A closed standard error would make every poll return at once.
        _ = poll(&polls, 3, Int32(milliseconds))
        if polls[1].revents & Int16(POLLHUP) != 0, polls[0].revents == 0, polls[2].revents == 0 {
            polls[1].fd = -1
            _ = poll(&polls, 3, Int32(min(milliseconds, 100)))
        }
    }

    /// - Returns: whether the program's output has come to its end.
    private func receive(_ process: CommandProcess) throws -> Bool {
        while true {
            let count = read(process.output, chunk.baseAddress, chunk.count)
            let error = errno
            if count > 0 { incoming.append(contentsOf: UnsafeRawBufferPointer(rebasing: chunk[..<count])) }
            guard incoming.count <= answerLimit else {
                throw ComputeError(
                    description:
                        "\(command[0]) answered a batch with more than \(answerLimit) bytes, eight times its limit")
            }
            if count == 0 { return true }
            if count < 0 { return error != EAGAIN && error != EINTR }
            if count < chunk.count { return false }
        }
    }

    /// Takes the whole lines that have come.
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
                do {
                    try answers.add(line)
                } catch let fault as JSONLine.Fault {
                    let words = [fault.reason, process?.epitaph(waiting: false) ?? ""].filter { !$0.isEmpty }
                    throw ComputeError(
                        description: "\(command[0]): an answer cannot be used: \(words.joined(separator: "; "))")
                }
            }
        }
        return consumed
    }

    private static func nanoseconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
    }
}
