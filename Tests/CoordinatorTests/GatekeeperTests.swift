import Foundation
import Glibc
import Logging
import Support
import Testing
import Trust
import ZeroMQ

@testable import Coordinator

@Suite struct GatekeeperTests {
    private let keys: KeyFolder
    private let alice: CurvePublicKey

    init() throws {
        keys = KeyFolder("\(ScratchFolder.path)/coord-gate-\(UInt64.random(in: 0 ... .max))")
        try keys.makeCoordinator(created: "")
        alice = try keys.make(try #require(KeyName("alice")), created: "").publicKey
    }

    private func gatekeeper() throws -> Gatekeeper {
        Gatekeeper(try keys.credentials(), log: Logger(label: "test"))
    }

    @Test func revokedKeyIsNoticedWithinTheIntervalAndOnce() throws {
        let gatekeeper = try gatekeeper()
        #expect(gatekeeper.name(of: alice) == "alice")
        _ = try keys.revoke(try #require(KeyName("alice")))
        #expect(gatekeeper.timePassed(now: .seconds(1)) == [])
        #expect(gatekeeper.timePassed(now: Gatekeeper.readInterval).map(\.key) == [alice])
        #expect(gatekeeper.name(of: alice) == nil)
        #expect(gatekeeper.timePassed(now: Gatekeeper.readInterval * 2) == [])
        try FileManager.default.removeItem(atPath: keys.path)
    }

    @Test func keyThatIsAllowedLaterIsTakenWithoutARestart() throws {
        let gatekeeper = try gatekeeper()
        let bob = try keys.make(try #require(KeyName("bob")), created: "").publicKey
        #expect(gatekeeper.name(of: bob) == nil)
        #expect(gatekeeper.timePassed(now: Gatekeeper.readInterval) == [])
        #expect(gatekeeper.name(of: bob) == "bob")
        try FileManager.default.removeItem(atPath: keys.path)
    }

    /// The keys of workers that a coordinator starts itself are in no file.
    @Test func guestsJoinThoughTheListIsEmptyAndReadAnew() throws {
        _ = try keys.revoke(try #require(KeyName("alice")))
        let guest = try CurveKeyPair.generate().publicKey
        let name = try #require(KeyName("db1"))
        let gatekeeper = Gatekeeper(try keys.credentials(guests: [guest: name]), log: Logger(label: "test"))
        #expect(gatekeeper.name(of: guest) == "db1")
        #expect(gatekeeper.timePassed(now: Gatekeeper.readInterval) == [])
        #expect(gatekeeper.name(of: guest) == "db1" && gatekeeper.name(of: alice) == nil)
        try FileManager.default.removeItem(atPath: keys.path)
    }

    /// Nobody is revoked because a disk is away for a moment, nor is anybody let in.
    @Test func listThatCannotBeReadGoesOnToHold() throws {
        let gatekeeper = try gatekeeper()
        #expect(chmod("\(keys.path)/allowed", 0o777) == 0)
        #expect(gatekeeper.timePassed(now: Gatekeeper.readInterval) == [])
        #expect(gatekeeper.name(of: alice) == "alice")
        try FileManager.default.removeItem(atPath: keys.path)
    }

    @Test func folderThatIsAwayRevokesNobody() throws {
        let gatekeeper = try gatekeeper()
        try FileManager.default.moveItem(atPath: keys.path, toPath: keys.path + "-away")
        #expect(gatekeeper.timePassed(now: Gatekeeper.readInterval) == [])
        #expect(gatekeeper.name(of: alice) == "alice")
        try FileManager.default.moveItem(atPath: keys.path + "-away", toPath: keys.path)
        try FileManager.default.removeItem(atPath: keys.path + "/allowed")
        #expect(gatekeeper.timePassed(now: Gatekeeper.readInterval * 2) == [])
        #expect(gatekeeper.name(of: alice) == "alice")
        try FileManager.default.removeItem(atPath: keys.path)
    }

    /// As one is while it is copied. One that stays so is a key less.
    @Test func fileThatIsHalfThereRevokesNobodyAtOnce() throws {
        let gatekeeper = try gatekeeper()
        let file = "\(keys.path)/allowed/alice.pub"
        let text = try String(contentsOfFile: file, encoding: .utf8)
        try String(text.prefix(20)).write(toFile: file, atomically: false, encoding: .utf8)
        #expect(gatekeeper.timePassed(now: Gatekeeper.readInterval) == [])
        try text.write(toFile: file, atomically: false, encoding: .utf8)
        #expect(gatekeeper.timePassed(now: Gatekeeper.readInterval * 2) == [])
        try String(text.prefix(20)).write(toFile: file, atomically: false, encoding: .utf8)
        #expect(gatekeeper.timePassed(now: Gatekeeper.readInterval * 3) == [])
        #expect(gatekeeper.timePassed(now: Gatekeeper.readInterval * 4).map(\.key) == [alice])
        try FileManager.default.removeItem(atPath: keys.path)
    }

    @Test func nobodyOnTheListIsNoReasonToStart() throws {
        _ = try keys.revoke(try #require(KeyName("alice")))
        let error = #expect(throws: TrustError.self) { try keys.credentials() }
        #expect(error?.description.contains("coord keys new NAME") == true)
        try FileManager.default.removeItem(atPath: keys.path)
    }

    @Test func strangersAreToldOfOnceInAWhileAndNotWithoutEnd() throws {
        var strangers = Strangers()
        for second in 0..<10 { strangers.refused(alice, at: "10.0.0.7", now: .seconds(second)) }
        #expect(strangers.take() == [Strangers.Stranger(key: alice, address: "10.0.0.7")])
        #expect(strangers.take() == [])
        strangers.refused(alice, at: "10.0.0.8", now: Strangers.interval)
        #expect(strangers.take().map(\.address) == ["10.0.0.8"])
        for _ in 0..<100 {
            strangers.refused(try CurveKeyPair.generate().publicKey, at: "10.0.0.9", now: Strangers.interval)
        }
        #expect(strangers.take().count == Strangers.limit - 1)
    }
}
