internal import Sharding
internal import SwiftProtobuf

/// The version of the messages and of their meaning. A worker and a coordinator of different versions do not work
/// together: the coordinator refuses the HELLO and names both versions.
package let protocolVersion: UInt32 = 2

// Conversions between the messages and protobuf's generated types. No other module sees those types.

func serialized(_ message: some Message) throws(WireError) -> [UInt8] {
    do {
        return try message.serializedBytes()
    } catch {
        throw WireError("cannot encode \(type(of: message)): \(error)")
    }
}

func parsed<M: Message>(_ bytes: [UInt8]) throws(WireError) -> M {
    do {
        return try M(serializedBytes: bytes)
    } catch {
        throw WireError("not a message of protocol \(protocolVersion): \(error)")
    }
}

extension Coord_Wire_V1_Lease {
    init(_ lease: Lease) {
        self.init()
        shard = lease.shard.rawValue
        epoch = lease.epoch.rawValue
    }
}

extension Lease {
    /// - Parameter message: the message's name for the error, for example "a ShardDone".
    init(_ lease: Coord_Wire_V1_Lease, isThere: Bool, in message: String) throws(WireError) {
        guard isThere else { throw WireError("\(message) without a lease") }
        // A shard's first lease has epoch 1, so a missing member, which reads as 0, is no lease either.
        guard lease.shard >= 0, lease.epoch > 0 else {
            throw WireError("\(message) with shard \(lease.shard) epoch \(lease.epoch), which is no lease")
        }
        self.init(shard: ShardID(lease.shard), epoch: Epoch(lease.epoch))
    }
}
