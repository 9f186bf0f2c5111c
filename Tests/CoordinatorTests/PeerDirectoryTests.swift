import Report
import Sharding
import Testing
import ZeroMQ

@testable import Coordinator

@Suite struct PeerDirectoryTests {
    private static let alice = WorkerID("alice")
    private static let bob = WorkerID("bob")
    private static let process = ProcessName(host: "north", pid: 7)

    private static func greeted(isLocal: Bool = false) -> PeerDirectory {
        var peers = PeerDirectory()
        _ = peers.greeted(alice, at: [1], key: nil, isLocal: isLocal, now: .seconds(1))
        return peers
    }

    @Test func workerIsReachedWhereItWasHeardLast() {
        var peers = Self.greeted()
        #expect(peers[Self.alice]?.address == [1])
        #expect(peers.heard(Self.alice, at: [2], key: nil) == true)
        #expect(peers[Self.alice]?.address == [2])
        _ = peers.greeted(Self.alice, at: [3], key: nil, isLocal: false, now: .seconds(2))
        #expect(peers.addresses == [[3]])
    }

    @Test func workerThatIsNotKnownIsNotTakenInByBeingHeard() {
        var peers = PeerDirectory()
        #expect(peers.heard(Self.alice, at: [1], key: nil) == false)
        #expect(peers.isEmpty)
        // Getting ready does not make a worker known either.
        peers.joined(Self.alice, as: Self.process)
        #expect(peers.isEmpty)
    }

    @Test func idBelongsToTheKeyThatSaidHelloFirst() throws {
        let (own, other) = (try CurveKeyPair.generate().publicKey, try CurveKeyPair.generate().publicKey)
        var peers = PeerDirectory()
        let first = peers.greeted(Self.alice, at: [1], key: own, isLocal: false, now: .zero)
        #expect(first == nil)
        for key in [other, nil] {
            #expect(peers.belongs(Self.alice, toOtherThan: key))
            let obstacle = peers.greeted(Self.alice, at: [2], key: key, isLocal: false, now: .zero)
            let isHeard = peers.heard(Self.alice, at: [2], key: key)
            #expect(obstacle == .otherKey && !isHeard)
        }
        #expect(peers[Self.alice]?.address == [1])
        #expect(!peers.belongs(Self.alice, toOtherThan: own))
        let isHeard = peers.heard(Self.alice, at: [3], key: own)
        #expect(isHeard && peers[Self.alice]?.address == [3])
        #expect(!peers.belongs(Self.bob, toOtherThan: other))
        #expect(peers.workers(of: own) == [Self.alice])
        #expect(peers.workers(of: other) == [])
    }

    /// Nor may one with a key take an id from a worker without.
    @Test func idOfAWorkerWithoutAKeyIsItsOwnToo() throws {
        var peers = Self.greeted()
        let key = try CurveKeyPair.generate().publicKey
        let obstacle = peers.greeted(Self.alice, at: [2], key: key, isLocal: false, now: .zero)
        #expect(obstacle == .otherKey && peers[Self.alice]?.key == nil)
    }

    @Test func workerThatLeftIsForgottenWholly() {
        var peers = Self.greeted(isLocal: true)
        peers.joined(Self.alice, as: Self.process)
        peers.left(Self.alice)
        #expect(peers.isEmpty)
        #expect(peers.local(pid: 7) == nil)
        _ = peers.greeted(Self.alice, at: [1], key: nil, isLocal: false, now: .seconds(2))
        #expect(peers[Self.alice]?.process == nil)
        #expect(peers[Self.alice]?.isLocal == false)
    }

    @Test func workerThatSaysHelloAgainStaysWhatItIs() {
        var peers = Self.greeted(isLocal: true)
        peers.joined(Self.alice, as: Self.process)
        _ = peers.greeted(Self.alice, at: [1], key: nil, isLocal: true, now: .seconds(2))
        // One that this process has not spawned is another, whatever id it claims.
        let stranger = peers.greeted(Self.alice, at: [2], key: nil, isLocal: false, now: .seconds(3))
        #expect(stranger == .otherKey)
        #expect(
            peers[Self.alice]
                == PeerDirectory.Peer(
                    address: [1], greetedAt: .seconds(2), isLocal: true, process: Self.process))
    }

    @Test func guestThatNeverGetsReadyIsForgottenAndAWorkerIsNot() {
        var peers = Self.greeted()
        _ = peers.greeted(Self.bob, at: [2], key: nil, isLocal: false, now: .seconds(1))
        peers.joined(Self.bob, as: Self.process)
        #expect(peers.timePassed(.seconds(10), now: .seconds(11)) == [])
        #expect(peers.timePassed(.seconds(10), now: .seconds(12)) == [Self.alice])
        #expect(peers.timePassed(.seconds(10), now: .seconds(12)) == [])
        #expect(peers[Self.bob] != nil)
    }

    /// A process of another host may have the same pid.
    @Test func onlyALocalWorkerIsFoundByItsProcess() {
        var peers = Self.greeted()
        peers.joined(Self.alice, as: Self.process)
        _ = peers.greeted(Self.bob, at: [2], key: nil, isLocal: true, now: .seconds(1))
        #expect(peers.local(pid: 7) == nil)
        peers.joined(Self.bob, as: ProcessName(host: "south", pid: 7))
        #expect(peers.local(pid: 7) == Self.bob)
    }

    /// A foreign worker that has not read its farewell would look for its coordinator for minutes.
    @Test func foreignWorkersAreWaitedForAtTheEndUnlessTheyFellSilentBeforeTheyJoined() {
        #expect(!PeerDirectory().hasForeign(within: .seconds(10), of: .seconds(5)))
        #expect(!Self.greeted(isLocal: true).hasForeign(within: .seconds(10), of: .seconds(5)))
        var peers = Self.greeted()
        #expect(peers.hasForeign(within: .seconds(10), of: .seconds(10)))
        #expect(!peers.hasForeign(within: .seconds(10), of: .seconds(11)))
        peers.joined(Self.alice, as: Self.process)
        #expect(peers.hasForeign(within: .seconds(10), of: .seconds(11)))
    }

    private static func worker(_ number: Int) -> WorkerID { WorkerID("\(number)") }
    private static func address(_ number: Int) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 0xFF)] }

    @Test func addressSpeaksForOneWorker() {
        var peers = Self.greeted()
        #expect(peers.greeted(Self.bob, at: [1], key: nil, isLocal: false, now: .seconds(1)) == .otherWorker)
        #expect(peers[Self.bob] == nil)
        _ = peers.greeted(Self.bob, at: [2], key: nil, isLocal: false, now: .seconds(1))
        #expect(peers.heard(Self.bob, at: [1], key: nil) == false)
        #expect(!peers.speaks([1], for: Self.bob) && peers.speaks([3], for: Self.bob))
        // Whom it spoke for has moved, or has left.
        #expect(peers.heard(Self.alice, at: [4], key: nil) == true)
        #expect(peers.heard(Self.bob, at: [1], key: nil) == true)
        peers.left(Self.bob)
        #expect(peers.greeted(Self.worker(3), at: [1], key: nil, isLocal: false, now: .seconds(1)) == nil)
    }

    @Test func workersOfAKeyAndOfAllKeysAreBounded() throws {
        var peers = PeerDirectory()
        var number = 0
        func join(_ key: CurvePublicKey?, isLocal: Bool = false) -> JoinObstacle? {
            number += 1
            return peers.greeted(
                Self.worker(number), at: Self.address(number), key: key, isLocal: isLocal, now: .zero)
        }
        let keys = try (0..<5).map { _ in try CurveKeyPair.generate().publicKey }
        for key in keys.prefix(4) {
            for _ in 0..<PeerDirectory.limitOfKey { #expect(join(key) == nil) }
            #expect(join(key) == .tooManyOfKey)
        }
        #expect(join(keys[4]) == .tooMany)
        // Those that this process has spawned always have room.
        #expect(join(nil, isLocal: true) == nil)
        peers.left(Self.worker(1))
        #expect(join(keys[0]) == nil)
    }

    /// Each id that has joined leaves a row in the ledger.
    @Test func newIdsOfAKeyAreBoundedInTime() throws {
        var peers = PeerDirectory()
        let (key, other) = (try CurveKeyPair.generate().publicKey, try CurveKeyPair.generate().publicKey)
        for number in 0..<PeerDirectory.arrivalLimit {
            #expect(
                peers.greeted(Self.worker(number), at: [1], key: key, isLocal: false, now: .seconds(1)) == nil)
            peers.left(Self.worker(number))
        }
        #expect(peers.greeted(Self.alice, at: [1], key: key, isLocal: false, now: .seconds(30)) == .tooOften)
        #expect(peers.greeted(Self.bob, at: [2], key: other, isLocal: false, now: .seconds(30)) == nil)
        _ = peers.timePassed(.seconds(100), now: .seconds(62))
        #expect(peers.greeted(Self.alice, at: [1], key: key, isLocal: false, now: .seconds(62)) == nil)
    }
}
