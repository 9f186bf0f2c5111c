/// Number of a run in the ledger of one database.
public struct RunID: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let rawValue: Int64
    public init(_ rawValue: Int64) { self.rawValue = rawValue }
    public var description: String { String(rawValue) }
    public static func < (left: RunID, right: RunID) -> Bool { left.rawValue < right.rawValue }
}

/// Number of a shard within its run, from 0, in key order as planned.
public struct ShardID: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let rawValue: Int32
    public init(_ rawValue: Int32) { self.rawValue = rawValue }
    public var description: String { String(rawValue) }
    public static func < (left: ShardID, right: ShardID) -> Bool { left.rawValue < right.rawValue }
}

/// UUID of one worker process, in PostgreSQL's text form. It is the owner of the leases that the process holds.
public struct WorkerID: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let rawValue: String
    public init(_ rawValue: String) { self.rawValue = rawValue }
    public var description: String { rawValue }
    public static func < (left: WorkerID, right: WorkerID) -> Bool { left.rawValue < right.rawValue }

    /// A random (version 4) UUID.
    public static func random(using generator: inout some RandomNumberGenerator) -> WorkerID {
        var bytes = (0..<16).map { _ in UInt8.random(in: 0...255, using: &generator) }
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        var text = ""
        for (index, byte) in bytes.enumerated() {
            if [4, 6, 8, 10].contains(index) { text += "-" }
            text += byte < 16 ? "0" : ""
            text += String(byte, radix: 16)
        }
        return WorkerID(text)
    }
}

/// A shard's lease counter: it grows by one with each lease and with a cancel. The fence refuses a write under a lower
/// epoch.
public struct Epoch: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let rawValue: Int64
    public init(_ rawValue: Int64) { self.rawValue = rawValue }
    public var description: String { String(rawValue) }
    public var next: Epoch { Epoch(rawValue + 1) }
    public static func < (left: Epoch, right: Epoch) -> Bool { left.rawValue < right.rawValue }
}

/// A worker's right to advance a shard.
public struct Lease: Hashable, Sendable, CustomStringConvertible {
    public let shard: ShardID
    public let epoch: Epoch
    public init(shard: ShardID, epoch: Epoch) {
        self.shard = shard
        self.epoch = epoch
    }
    public var description: String { "shard \(shard) epoch \(epoch)" }
}
