import Mutations
import Testing

@testable import Wire

/// Whatever comes over a connection is read or refused.
@Suite struct MutationTests {
    @Test(arguments: 0..<UInt64(4)) func workersMessageIsReadOrRefused(seed: UInt64) throws {
        let head = bytes(FrameTests.head)
        let bodies = FrameTests.workerFrames.map { bytes($0.hex) }
        var (changedBody, changedAll) = (
            Mutation(of: bodies, seed: seed), Mutation(of: bodies.map { head + $0 }, seed: seed)
        )
        var (taken, refused) = (0, 0)
        for round in 0..<3_000 {
            // A worker's id is easily broken, and then nothing behind it is read.
            let frame = round % 3 == 0 ? changedAll.next() : head + changedBody.next()
            do {
                let (worker, message) = try WorkerMessage.decode(frame)
                taken += 1
                // What was taken is within all bounds, so the sender cuts nothing of it.
                let back = try WorkerMessage.decode(try message.encoded(by: worker))
                #expect(back.worker == worker)
                #expect("\(back.message)" == "\(message)")
            } catch {
                #expect(error.description.utf8.count < 2_000)
                refused += 1
            }
        }
        #expect(taken > 50 && refused > 50)
    }

    @Test func coordinatorsMessageIsReadOrRefused() throws {
        var mutation = Mutation(of: FrameTests.coordinatorFrames.map { bytes($0.hex) }, seed: 1)
        var taken = 0
        for _ in 0..<1_000 {
            guard let message = try? CoordinatorMessage.decode(mutation.next()) else { continue }
            taken += 1
            #expect(try CoordinatorMessage.decode(try message.encoded()) == message)
        }
        #expect(taken > 50)
    }
}
