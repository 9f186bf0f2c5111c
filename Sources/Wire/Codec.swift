package import Sharding
internal import SwiftProtobuf

/// Version of the messages and of their meaning. A worker and a coordinator with different ones do not work together:
/// the coordinator answers such a HELLO with a refusal that names both.
package let protocolVersion: UInt32 = 1

/// A frame that cannot be understood.
package struct WireError: Error, Equatable, CustomStringConvertible {
    package var description: String
}

package typealias FromWorker = Coord_Wire_V1_FromWorker
package typealias FromCoordinator = Coord_Wire_V1_FromCoordinator
package typealias Hello = Coord_Wire_V1_Hello
package typealias Heartbeat = Coord_Wire_V1_Heartbeat
package typealias Held = Coord_Wire_V1_Held

extension FromWorker {
    package func encoded() throws(WireError) -> [UInt8] { try serialized(self) }

    package static func decode(_ bytes: [UInt8]) throws(WireError) -> FromWorker {
        let message: FromWorker = try parsed(bytes)
        guard isUUID(message.worker) else {
            throw WireError(description: "a message without a worker's UUID")
        }
        guard message.body != nil else { throw WireError(description: "a message without a known body") }
        return message
    }
}

extension FromCoordinator {
    package func encoded() throws(WireError) -> [UInt8] { try serialized(self) }

    package static func decode(_ bytes: [UInt8]) throws(WireError) -> FromCoordinator {
        let message: FromCoordinator = try parsed(bytes)
        guard message.body != nil else { throw WireError(description: "a message without a known body") }
        return message
    }
}

extension Coord_Wire_V1_Lease {
    package init(_ lease: Lease) {
        self.init()
        shard = lease.shard.rawValue
        epoch = lease.epoch.rawValue
    }

    package var value: Lease { Lease(shard: ShardID(shard), epoch: Epoch(epoch)) }
}

private func isUUID(_ text: String) -> Bool {
    text.utf8.count == 36
        && text.utf8.enumerated().allSatisfy { index, byte in
            [8, 13, 18, 23].contains(index) ? byte == 45 : (byte >= 48 && byte <= 57) || (byte >= 97 && byte <= 102)
        }
}

private func serialized(_ message: some Message) throws(WireError) -> [UInt8] {
    do {
        return try message.serializedBytes()
    } catch {
        throw WireError(description: "cannot encode \(type(of: message)): \(error)")
    }
}

private func parsed<M: Message>(_ bytes: [UInt8]) throws(WireError) -> M {
    do {
        return try M(serializedBytes: bytes)
    } catch {
        throw WireError(description: "not a message of protocol \(protocolVersion): \(error)")
    }
}
