import Foundation
import Glibc
import Logging
import Report
import Sharding
import Support
import Testing
import Trust
import Wire

@testable import Coordinator
@testable import ZeroMQ

/// A socket that receives what a test puts in, and keeps what is sent.
private final class FakeSocket: FrameSocket {
    var received: [[[UInt8]]] = []
    /// By which key the messages come.
    var user: CurvePublicKey?
    var connection: PeerConnection?
    /// The process that sends them, by the kernel's word.
    var process: Int32?
    var sent: [(address: [UInt8], message: CoordinatorMessage)] = []
    /// Addresses that nobody can be reached at any more.
    var unreachable: Set<[UInt8]> = []

    func receive() throws(ZeroMQError) -> ZeroMQMessage? {
        received.isEmpty
            ? nil
            : ZeroMQMessage(
                frames: received.removeFirst(), userID: user?.text, process: process, connection: connection)
    }

    func send(_ frames: [[UInt8]]) throws(ZeroMQError) {
        if unreachable.contains(frames[0]) { throw ZeroMQError("zmq_send", code: EHOSTUNREACH) }
        guard let message = try? CoordinatorMessage.decode(frames[1]) else { return }
        sent.append((frames[0], message))
    }
}

@Suite struct WorkerLinkTests {
    private static let welcome = Welcome(
        run: RunID(1), systemIdentifier: "7", database: "d", heartbeatInterval: .seconds(1), ledgerSchema: "coord")
    private static let process = ProcessName(host: "north", pid: 7)
    private static let ready = Hello(host: "north", pid: 7, credit: 1, isReady: true, run: RunID(1))

    private let socket = FakeSocket()
    private let link: WorkerLink

    init() {
        link = WorkerLink(
            admission: Admission(welcome: Self.welcome), patience: .seconds(10), log: Logger(label: "test")
        ) { $0 == 70 }
        link.open(socket)
    }

    /// The events that follow when the worker sends this message.
    private func says(
        _ message: WorkerMessage, _ worker: WorkerID = alice, at address: [UInt8] = [1], now: Duration = .zero
    ) throws -> [LinkEvent] {
        socket.received.append([address, try message.encoded(by: worker)])
        var events: [LinkEvent] = []
        link.receive(now: now) { events.append($0) }
        return events
    }

    private var sent: [CoordinatorMessage] { socket.sent.map(\.message) }

    @Test func workerAsksIsWelcomedAndJoinsOnceItIsReady() throws {
        let asked = try says(.hello(Hello(host: "north", pid: 7, problem: "no program")))
        #expect(asked.map(\.kind) == [.asked(Self.process, problem: "no program")])
        #expect(asked.map(\.process) == [nil])
        let joined = try says(.hello(Self.ready))
        #expect(joined.map(\.kind) == [.joined(Self.process, credit: 1)])
        #expect(joined.map(\.process) == [Self.process])
        #expect(sent == [.welcome(Self.welcome), .welcome(Self.welcome)])
    }

    @Test func refusedWorkerIsToldWhyAndIsNotKnown() throws {
        var hello = Self.ready
        hello.run = RunID(2)
        let events = try says(.hello(hello))
        let reason = "it worked for run 2, and the coordinator leads run 1"
        #expect(events.map(\.kind) == [.refused(reason: reason)])
        #expect(sent == [.refused(Refusal(reason: reason, mend: "start the worker again"))])
        #expect(link.isEmpty)
    }

    @Test func heartbeatIsAnsweredWhereItCameFrom() throws {
        _ = try says(.hello(Self.ready))
        let events = try says(.heartbeat(Heartbeat()), at: [2])
        #expect(events.map(\.kind) == [.reported(Heartbeat())])
        #expect(socket.sent.last?.address == [2])
        link.send(.drain, to: alice)
        #expect(socket.sent.last?.address == [2])
        #expect(sent == [.welcome(Self.welcome), .alive(.none), .drain])
    }

    @Test func strangerIsAskedToIntroduceItselfAndConcernsNobody() throws {
        #expect(try says(.heartbeat(Heartbeat())) == [])
        #expect(sent == [.rejoin])
        link.send(.drain, to: alice)
        #expect(sent == [.rejoin])
    }

    /// A message may lead to its worker being forgotten: then the next message comes from a stranger.
    @Test func messagesAreTakenOneAfterAnother() throws {
        _ = try says(.hello(Self.ready))
        socket.received = [
            [[1], try WorkerMessage.shardDone(lease(0)).encoded(by: alice)],
            [[1], try WorkerMessage.heartbeat(Heartbeat()).encoded(by: alice)],
        ]
        var events: [LinkEvent.Kind] = []
        link.receive(now: .zero) { event in
            events.append(event.kind)
            _ = link.forget(alice)
        }
        #expect(events == [.shardDone(lease(0))])
        #expect(sent == [.welcome(Self.welcome), .rejoin])
    }

    /// A link whose allow-list has these keys, and the list's folder.
    private func guarded(_ names: [String]) throws -> (link: WorkerLink, keys: [CurvePublicKey], folder: KeyFolder) {
        let folder = KeyFolder("\(ScratchFolder.path)/coord-link-\(UInt64.random(in: 0 ... .max))")
        try folder.makeCoordinator(created: "")
        let keys = try names.map { try folder.make(try #require(KeyName($0)), created: "").publicKey }
        let gatekeeper = Gatekeeper(try folder.credentials(), log: Logger(label: "test"))
        let link = WorkerLink(
            admission: Admission(welcome: Self.welcome), patience: .seconds(10), log: Logger(label: "test"),
            gatekeeper: gatekeeper
        ) { $0 == 70 }
        link.open(socket)
        return (link, keys, folder)
    }

    private func hears(_ link: WorkerLink, _ message: WorkerMessage, from key: CurvePublicKey?, at address: [UInt8])
        throws -> [LinkEvent]
    {
        socket.user = key
        socket.received.append([address, try message.encoded(by: alice)])
        var events: [LinkEvent] = []
        link.receive(now: .zero) { events.append($0) }
        return events
    }

    private static let messages: [WorkerMessage] = [
        .hello(ready), .heartbeat(Heartbeat()), .shardDone(lease(0)), .leaseReleased(lease(0)), .leaseLost(lease(0)),
        .shardFailed(ShardFailure(lease: lease(0), error: "x", scope: .run)), .goodbye(reason: "forged"),
    ]

    /// Whatever it says in another's name is not heard.
    @Test func idOfAnotherKeyIsRefusedInEveryMessage() throws {
        let (link, keys, folder) = try guarded(["a", "b"])
        #expect(try hears(link, .hello(Self.ready), from: keys[0], at: [1]).map(\.kind) == [joined])
        for key in [keys[1], nil] {
            for message in Self.messages {
                #expect(try hears(link, message, from: key, at: [2]) == [])
                #expect(socket.sent.last?.address == [2])
                guard case .refused(let refusal)? = socket.sent.last?.message else {
                    Issue.record("\(message) is not refused")
                    continue
                }
                #expect(refusal.reason == "its id belongs to another key")
            }
        }
        #expect(!link.isEmpty)
        #expect(try hears(link, .goodbye(reason: ""), from: keys[0], at: [1]).map(\.kind) == [.left(reason: "")])
        try FileManager.default.removeItem(atPath: folder.path)
    }

    /// The two ends of a connection, of which the link has one.
    private func connectItself() throws -> [Int32] {
        var ends: [Int32] = [0, 0]
        #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0, &ends) == 0)
        socket.connection = PeerConnection(descriptor: ends[0])
        return ends
    }

    @Test func peerWithAKeyIsNoProcessOfThisOneWhateverItSays() throws {
        let (link, keys, folder) = try guarded(["a"])
        var hello = Self.ready
        hello.pid = 70
        #expect(try hears(link, .hello(hello), from: keys[0], at: [1]).map(\.isLocal) == [false])
        #expect(link.processEnded(70) == nil)
        try FileManager.default.removeItem(atPath: folder.path)
    }

    @Test func revokedWorkerIsToldSoAndNothingOfItIsHeardAnyMore() throws {
        let (link, keys, folder) = try guarded(["a", "b"])
        _ = try hears(link, .hello(Self.ready), from: keys[0], at: [1])
        let events = link.revoked(Gatekeeper.Revocation(key: keys[0], name: "a"), now: .zero)
        #expect(events.map(\.kind) == [.revoked(key: "a")])
        #expect(events.map(\.process) == [Self.process])
        #expect(link.isEmpty)
        guard case .refused(let refusal)? = sent.last else {
            Issue.record("\(sent)")
            return
        }
        #expect(refusal.reason == "its key was revoked")
        // A connection outlives its key.
        let stranger = try CurveKeyPair.generate().publicKey
        for message in Self.messages { #expect(try hears(link, message, from: stranger, at: [1]) == []) }
        #expect(link.isEmpty)
        try FileManager.default.removeItem(atPath: folder.path)
    }

    /// It is told before, and has a moment to leave by itself.
    @Test func connectionOfARevokedWorkerIsCut() throws {
        let (link, keys, folder) = try guarded(["a", "b"])
        let ends = try connectItself()
        _ = try hears(link, .hello(Self.ready), from: keys[0], at: [1])
        _ = link.revoked(Gatekeeper.Revocation(key: keys[0], name: "a"), now: .seconds(5))
        var byte: UInt8 = 0
        _ = link.timePassed(now: .milliseconds(5_900))
        #expect(read(ends[1], &byte, 1) == -1 && errno == EAGAIN)
        _ = link.timePassed(now: .seconds(7))
        #expect(read(ends[1], &byte, 1) == 0)
        for end in ends { close(end) }
        try FileManager.default.removeItem(atPath: folder.path)
    }

    @Test func garbageIsDroppedAndWhatComesAfterIsTaken() throws {
        socket.received = [[[1]], [[1], [0xFF, 0xFF]], [[1], [], []]]
        #expect(try says(.hello(Self.ready), at: [2]).count == 1)
    }

    @Test func workerThatSaysGoodbyeIsNamedAndThenForgotten() throws {
        _ = try says(.hello(Self.ready))
        let events = try says(.goodbye(reason: "its program is gone"))
        #expect(events.map(\.kind) == [.left(reason: "its program is gone")])
        #expect(events.map(\.process) == [Self.process])
        #expect(link.isEmpty)
    }

    /// What it says of its host and its process decides nothing: the kernel knows who is at the other end.
    @Test func processOfThisOneIsKnownByItsConnectionAndByNoWord() throws {
        var hello = Self.ready
        hello.pid = 70
        #expect(try says(.hello(hello), bob).map(\.isLocal) == [false])
        #expect(link.processEnded(70) == nil)
        socket.process = 70
        let events = try says(.hello(Self.ready), at: [2])
        #expect(events.map(\.isLocal) == [true])
        #expect(events.map(\.process) == [ProcessName(host: "north", pid: 70)])
        #expect(link.hasForeign(at: .zero))
        #expect(link.processEnded(70) == alice)
        #expect(link.processEnded(70) == nil)
        #expect(link.forget(bob)?.process == ProcessName(host: "north", pid: 70))
        #expect(link.isEmpty)
    }

    @Test func connectionSpeaksForOneWorkerAndIsCutWhenItClaimsAnother() throws {
        let ends = try connectItself()
        _ = try says(.hello(Self.ready))
        #expect(try says(.hello(Self.ready), bob) == [])
        guard case .refused(let refusal)? = sent.last else {
            Issue.record("\(sent)")
            return
        }
        #expect(refusal.reason == "its connection speaks for another worker")
        // Nothing more is taken of it.
        #expect(try says(.shardDone(lease(0))) == [])
        _ = link.timePassed(now: .seconds(2))
        var byte: UInt8 = 0
        #expect(read(ends[1], &byte, 1) == 0)
        for end in ends { close(end) }
    }

    /// One that has never joined, or is not known any more, has no lease to speak of.
    @Test func wordsAboutLeasesAreTakenOfWorkersThatHaveJoinedAlone() throws {
        let words = Self.messages.filter {
            switch $0 {
            case .hello, .heartbeat, .goodbye: false
            default: true
            }
        }
        for message in words { #expect(try says(message) == []) }
        #expect(sent == words.map { _ in .rejoin })
        _ = try says(.hello(Hello(host: "north", pid: 7)))
        for message in words { #expect(try says(message) == []) }
        _ = try says(.hello(Self.ready))
        for message in words { #expect(try says(message).count == 1) }
    }

    @Test func someMessagesAreTakenAtATimeSoThatTheTickIsNeverStarved() throws {
        let beat = [[1], try WorkerMessage.heartbeat(Heartbeat()).encoded(by: alice)]
        socket.received = Array(repeating: beat, count: WorkerLink.batch + 10)
        link.receive(now: .zero) { _ in }
        #expect(socket.received.count == 10)
    }

    @Test func messageOfSeveralPartsIsAnsweredWithTheReasonAndItsPeerIsCutOff() throws {
        let ends = try connectItself()
        let hello = try WorkerMessage.hello(Self.ready).encoded(by: alice)
        socket.received = [[[1], hello, [1]], [[1], hello]]
        link.receive(now: .zero) { _ in Issue.record("it was taken") }
        guard case .refused(let refusal)? = sent.last else {
            Issue.record("\(sent)")
            return
        }
        #expect(refusal.reason == "its message has 2 parts")
        _ = link.timePassed(now: .seconds(2))
        var byte: UInt8 = 0
        #expect(read(ends[1], &byte, 1) == 0)
        for end in ends { close(end) }
    }

    @Test func guestThatFallsSilentIsForgotten() throws {
        _ = try says(.hello(Hello(host: "north", pid: 7)), now: .seconds(1))
        _ = try says(.hello(Self.ready), bob, at: [2], now: .seconds(1))
        #expect(link.timePassed(now: .seconds(11)) == [])
        #expect(link.timePassed(now: .milliseconds(11_500)) == [])
        let events = link.timePassed(now: .seconds(12))
        #expect(events.map(\.kind) == [.forgotten])
        #expect(events.map(\.worker) == [alice])
        #expect(!link.isEmpty)
    }

    @Test func workerThatIsGoneHoldsUpNobodysMessage() throws {
        _ = try says(.hello(Self.ready))
        _ = try says(.hello(Self.ready), bob, at: [2])
        socket.unreachable = [[1]]
        link.sendToAll(.drain)
        #expect(socket.sent.last?.address == [2])
        #expect(socket.sent.last?.message == .drain)
        link.close()
        link.send(.alive(.none), to: bob)
        #expect(socket.sent.last?.message == .drain)
    }
}
