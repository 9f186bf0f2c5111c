import Testing
import ZeroMQ

@testable import Coordinator

/// What a keeper of another host is told by its standard input.
@Suite struct HandoverTests {
    private static func read(_ text: String) throws -> (handover: Handover, rest: String) {
        var bytes = Array(text.utf8)[...]
        let handover = try Handover.read { bytes.popFirst() }
        return (handover, String(decoding: bytes, as: UTF8.self))
    }

    private static func sample(workers: Int? = 8, isVerbose: Bool = true) throws -> Handover {
        Handover(
            connect: "tcp://host-a:7717", workers: workers, own: try CurveKeyPair.generate(),
            coordinator: try CurveKeyPair.generate().publicKey,
            environment: ["PGHOST": "db", "WORDS": "a = b, \"c\" 'd'"], isVerbose: isVerbose)
    }

    @Test(arguments: [nil, 0, 8], [true, false])
    func itIsReadAsItWasWrittenAndNothingBeyondIt(workers: Int?, isVerbose: Bool) throws {
        let handover = try Self.sample(workers: workers, isVerbose: isVerbose)
        let (read, rest) = try Self.read(handover.text + "..!")
        #expect(read == handover)
        #expect(read.environment == handover.environment)
        #expect(read.own.secret == handover.own.secret)
        #expect(rest == "..!")
    }

    @Test func itsDescriptionHasNoSecret() throws {
        let handover = try Self.sample()
        #expect(!"\(handover)".contains(handover.own.secret))
        #expect(!String(reflecting: handover).contains(handover.own.secret))
    }

    @Test func whatIsNotWholeIsNotObeyed() throws {
        let text = try Self.sample().text
        #expect(throws: HandoverError.ended) { try Self.read(String(text.dropLast(4))) }
        #expect(throws: HandoverError.ended) { try Self.read("") }
        #expect(throws: HandoverError.otherForm) { try Self.read("coord 2\nend\n") }
        for (old, new) in [("connect ", "konnect "), ("secret ", "secret x"), ("workers 8", "workers -1")] {
            #expect(throws: HandoverError.malformed) { try Self.read(text.replacing(old, with: new)) }
        }
        let flood = String(repeating: "x", count: Handover.byteLimit + 1)
        #expect(throws: HandoverError.malformed) { try Self.read(flood) }
    }

    @Test func keysOfAWorkerAreReadAsTheyWereWritten() throws {
        let handover = try Self.sample()
        let keys = LeashedWorker.Keys(own: handover.own, coordinator: handover.coordinator)
        var bytes = keys.bytes[...]
        let read = try #require(LeashedWorker.Keys { bytes.popFirst() })
        #expect(read.own.secret == handover.own.secret && read.coordinator == handover.coordinator)
        var few = keys.bytes.dropLast()
        #expect(LeashedWorker.Keys { few.popFirst() } == nil)
    }
}
