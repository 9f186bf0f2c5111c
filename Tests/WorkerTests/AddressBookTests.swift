import Testing
import ZeroMQ

@testable import Worker

@Suite struct AddressBookTests {
    private let keys: WorkerKeys

    init() throws {
        keys = WorkerKeys(own: try CurveKeyPair.generate(), coordinator: try CurveKeyPair.generate().publicKey)
    }

    private func book(_ endpoints: String...) -> AddressBook {
        AddressBook(endpoints.map { CoordinatorAddress(endpoint: $0, keys: keys) })
    }

    @Test func addressesAreTriedInTurn() {
        var book = book("tcp://10.0.0.1:7", "tcp://[fd00::1]:7")
        #expect(book.place.endpoint == "tcp://10.0.0.1:7" && !book.place.usesIPv6)
        #expect(book.unreachable() == .move)
        #expect(book.place.endpoint == "tcp://[fd00::1]:7" && book.place.usesIPv6)
        #expect(book.unreachable() == .move)
        #expect(book.place.endpoint == "tcp://10.0.0.1:7")
        #expect(book.reasons == "")
    }

    @Test func oneAddressStaysWhereItIs() {
        var book = book("tcp://10.0.0.1:7")
        #expect(book.unreachable() == .wait)
        #expect(book.ended(.hungUp) == .wait)
    }

    /// It may have addresses of one kind, and the coordinator may listen at the other.
    @Test func nameIsTriedByIPv6AndByIPv4() {
        var book = book("tcp://host-a:7")
        #expect(book.place.usesIPv6)
        #expect(book.unreachable() == .move)
        #expect(!book.place.usesIPv6 && book.place.endpoint == "tcp://host-a:7")
    }

    @Test func keyThatIsRefusedEverywhereEndsTheTries() {
        var book = book("tcp://10.0.0.1:7", "tcp://10.0.0.2:7")
        for _ in 1..<(AddressBook.refusalLimit * 2) { #expect(book.ended(.keyRefused) == .move) }
        guard case .giveUp(let reason) = book.ended(.keyRefused) else {
            Issue.record("\(book)")
            return
        }
        #expect(reason.contains("tcp://10.0.0.1:7 does not allow this worker's key \(keys.own.publicKey)"))
        #expect(reason.contains("tcp://10.0.0.2:7"))
        #expect(!reason.contains(keys.own.secret))
    }

    /// The coordinator may have read its list a moment before.
    @Test func keyThatIsAllowedJustNowIsTriedOnceMore() {
        var book = book("tcp://10.0.0.1:7")
        for _ in 0..<3 {
            #expect(book.ended(.keyRefused) == .move)
            #expect(book.ended(.succeeded) == .wait)
        }
        #expect(book.reasons == "")
    }

    @Test func keyThatIsRefusedAtOneAddressMayBeTakenAtAnother() {
        var book = book("tcp://10.0.0.1:7", "tcp://10.0.0.2:7")
        #expect(book.ended(.keyRefused) == .move)
        #expect(book.ended(.succeeded) == .wait)
        // That one is away now: the first is tried again, and its word counts with the other's only.
        #expect(book.unreachable() == .move)
        #expect(book.ended(.keyRefused) == .move)
        #expect(book.place.endpoint == "tcp://10.0.0.2:7")
    }

    @Test func peerThatHangsUpAgainAndAgainIsNoCoordinatorOfOurs() {
        var book = book("tcp://10.0.0.1:7")
        for _ in 1..<AddressBook.hangUpLimit { #expect(book.ended(.hungUp) == .wait) }
        guard case .giveUp(let reason) = book.ended(.hungUp) else {
            Issue.record("\(book)")
            return
        }
        #expect(reason.contains("another key than coordinator.pub"))
    }

    @Test func handshakeThatSucceedsTakesHangUpsBack() {
        var book = book("tcp://10.0.0.1:7")
        for _ in 0..<3 {
            for _ in 1..<AddressBook.hangUpLimit { #expect(book.ended(.hungUp) == .wait) }
            #expect(book.ended(.succeeded) == .wait)
        }
    }

    /// It may be out of room for connections: that passes. What may be wrong is told.
    @Test func addressWithoutKeysIsNotGivenUp() {
        var book = AddressBook([CoordinatorAddress(endpoint: "tcp://127.0.0.1:7")])
        for _ in 0..<(AddressBook.hangUpLimit * 2) { #expect(book.ended(.mismatched) == .move) }
        #expect(book.reasons.contains("--keys DIR"))
        #expect(book.place.endpoint == "tcp://127.0.0.1:7")
    }
}
