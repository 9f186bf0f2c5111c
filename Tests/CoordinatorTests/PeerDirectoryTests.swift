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
        #expect(first)
        for key in [other, nil] {
            #expect(peers.belongs(Self.alice, toOtherThan: key))
            let isTaken = peers.greeted(Self.alice, at: [2], key: key, isLocal: false, now: .zero)
            let isHeard = peers.heard(Self.alice, at: [2], key: key)
            #expect(!isTaken && !isHeard)
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
        let isTaken = peers.greeted(Self.alice, at: [2], key: key, isLocal: false, now: .zero)
        #expect(!isTaken && peers[Self.alice]?.key == nil)
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
        _ = peers.greeted(Self.alice, at: [1], key: nil, isLocal: false, now: .seconds(2))
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
}
