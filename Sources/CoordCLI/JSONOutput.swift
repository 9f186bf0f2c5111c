import FoundationEssentials
import Glibc
import Ledger
import Progress
import Sharding

/// JSON on standard output: one object, or one a line.
enum JSONOutput {
    static func text(_ value: some Encodable) -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            let text = String(decoding: try encoder.encode(value), as: UTF8.self)
            // JSONEncoder escapes what is below a space; a terminal takes these for controls as well.
            guard text.unicodeScalars.contains(where: { (0x7F..<0xA0).contains($0.value) }) else { return text }
            return text.unicodeScalars.reduce(into: "") { text, scalar in
                if (0x7F..<0xA0).contains(scalar.value) {
                    text += "\\u00" + String(scalar.value, radix: 16)
                } else {
                    text.unicodeScalars.append(scalar)
                }
            }
        } catch {
            preconditionFailure("values made here can be encoded: \(error)")
        }
    }

    static func line(_ value: some Encodable) -> String { text(value) + "\n" }

    static func print(_ value: some Encodable) { Terminal.output.post(line(value)) }
}

/// A member that is written as null when there is no value, where JSONEncoder would leave it out.
struct Nullable<Value: Encodable>: Encodable {
    var value: Value?
    init(_ value: Value?) { self.value = value }
    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if let value { try container.encode(value) } else { try container.encodeNil() }
    }
}

/// A member of a message, for messages with few members.
enum JSONValue: Encodable {
    case string(String)
    case number(Int64)
    case boolean(Bool)

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .string(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .boolean(let value): try container.encode(value)
        }
    }
}

/// Why a command did nothing.
struct ErrorObject: Encodable {
    var messageType = "error"
    var error: String
    var exitCode: Int32
    /// Sessions in the way of a cancel; left out elsewhere.
    var holders: [LockHolderObject]?
}

/// A session that holds rows of a run's ledger locked.
struct LockHolderObject: Encodable {
    var pid: Nullable<Int32>
    var user: Nullable<String>
    var application: Nullable<String>
    var address: Nullable<String>
    var state: Nullable<String>
    var transactionSeconds: Nullable<Int64>
    var shards: [Int32]
    var holdsRun: Bool

    init(_ holder: LockHolder) {
        pid = Nullable(holder.pid)
        user = Nullable(holder.user)
        application = Nullable(holder.application)
        address = Nullable(holder.address)
        state = Nullable(holder.state)
        transactionSeconds = Nullable(holder.seconds)
        shards = holder.shards.map(\.rawValue)
        holdsRun = holder.holdsRun
    }
}

struct ShardCountsObject: Encodable {
    var pending: Int
    var running: Int
    var done: Int
    var failed: Int

    init(_ counts: ShardCounts) {
        pending = counts.pending
        running = counts.running
        done = counts.done
        failed = counts.failed
    }

    init(_ snapshot: ProgressSnapshot) {
        pending = snapshot.pending
        running = snapshot.running
        done = snapshot.done
        failed = snapshot.failed
    }
}

struct WorkerObject: Encodable {
    var host: String
    var pid: Int32
    var shard: Nullable<Int32>
    var rowsDone: Int64
    var rowsPerSecond: Double
    var rssBytes: Int64
    var peakRssBytes: Int64
    /// Null where only the ledger was asked, which does not know.
    var programRssBytes: Nullable<Int64>
    /// Null while it works, and where only the ledger was asked.
    var waitsFor: Nullable<String>

    init(_ worker: WorkerRecord) {
        host = worker.host
        pid = worker.pid
        shard = Nullable(worker.shard?.rawValue)
        rowsDone = worker.rowsDone
        rowsPerSecond = rounded(worker.rowsPerSecond)
        rssBytes = worker.rssBytes
        peakRssBytes = worker.peakRSSBytes
        programRssBytes = Nullable(nil)
        waitsFor = Nullable(nil)
    }

    init(_ worker: WorkerProgress) {
        host = worker.host
        pid = worker.pid
        shard = Nullable(worker.shard?.rawValue)
        rowsDone = worker.rowsDone
        rowsPerSecond = rounded(worker.rowsPerSecond)
        rssBytes = worker.rssBytes
        peakRssBytes = worker.peakRSSBytes
        programRssBytes = Nullable(worker.programRSSBytes)
        waitsFor = Nullable(worker.waitsFor.isEmpty ? nil : worker.waitsFor)
    }
}

struct RunObject: Encodable {
    var run: Int64
    var job: String
    var state: String
    var coordinator: Nullable<String>
    var rowsDone: Int64
    var rowsEstimated: Int64
    var rowsPerSecond: Double
    var etaSeconds: Nullable<Int64>
    var shards: ShardCountsObject
    var workers: [WorkerObject]
    var table: String
    /// The role that made the run; empty where the ledger does not say.
    var user: String
    /// UTC, in ISO 8601; null while it has not come.
    var startedAt: Nullable<String>
    var finishedAt: Nullable<String>
    /// From the start to the end, pauses included; null before the end.
    var durationSeconds: Nullable<Double>
    /// Rows over that time; null before the end.
    var averageRowsPerSecond: Nullable<Double>

    init(_ record: RunRecord, _ workers: [WorkerRecord]) {
        run = record.id.rawValue
        job = record.definition.name
        state = record.state.rawValue
        coordinator = Nullable(record.coordinator)
        rowsDone = record.rowsDone
        rowsEstimated = record.rowsEstimated
        // A coordinator that died has left its last rate behind.
        let rate = record.coordinator == nil ? 0 : record.rowsPerSecond
        rowsPerSecond = rounded(rate)
        let left = Double(max(record.rowsEstimated - record.rowsDone, 0))
        etaSeconds = Nullable(rate >= 1 ? Int64((left / rate).rounded()) : nil)
        shards = ShardCountsObject(record.counts)
        self.workers = workers.map { WorkerObject($0) }
        table = record.definition.table
        user = record.user
        startedAt = Nullable(record.startedAt.flatMap { UTCTime.text(seconds: $0) })
        finishedAt = Nullable(record.finishedAt.flatMap { UTCTime.text(seconds: $0) })
        var duration: Double?
        if let start = record.startedAt, let end = record.finishedAt, end >= start { duration = end - start }
        durationSeconds = Nullable(duration.map { rounded($0) })
        averageRowsPerSecond = Nullable(duration.map { rounded(Double(record.rowsDone) / max($0, 0.001)) })
    }
}

/// A moment as text.
enum UTCTime {
    /// `2026-11-25T18:45:53Z`; nil for a year that has not four digits.
    static func text(seconds: Double) -> String? {
        guard (0..<253_402_300_800).contains(seconds) else { return nil }
        var (time, parts) = (time_t(seconds), tm())
        gmtime_r(&time, &parts)
        var buffer = [CChar](repeating: 0, count: 32)
        let count = strftime(&buffer, buffer.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

func rounded(_ value: Double) -> Double { (value * 10).rounded() / 10 }
