internal import Sharding
internal import SwiftProtobuf

/// Version of the messages and of their meaning. A worker and a coordinator with different ones do not work together:
/// the coordinator answers such a HELLO with a refusal that names both.
package let protocolVersion: UInt32 = 1

// Between the messages and protobuf's generated types, which no other module sees.

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
    /// - Parameter message: for the error's text, such as "a ShardDone".
    init(_ lease: Coord_Wire_V1_Lease, isThere: Bool, in message: String) throws(WireError) {
        guard isThere else { throw WireError("\(message) without a lease") }
        // A shard's first lease has epoch 1, so that a member that is missing is no lease either.
        guard lease.shard >= 0, lease.epoch > 0 else {
            throw WireError("\(message) with shard \(lease.shard) epoch \(lease.epoch), which is no lease")
        }
        self.init(shard: ShardID(lease.shard), epoch: Epoch(lease.epoch))
    }
}
