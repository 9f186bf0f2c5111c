import Glibc
import Synchronization
import Testing

@testable import CoordCLI

/// A pipe that holds 4096 bytes. Nobody reads from it until the test does.
private final class Reader {
    let read: Int32
    let write: Int32
    static let capacity = 4096

    init() {
        var ends: [Int32] = [-1, -1]
        precondition(pipe(&ends) == 0)
        (read, write) = (ends[0], ends[1])
        // F_SETPIPE_SZ
        precondition(fcntl(write, 1031, Int32(Self.capacity)) >= 0)
    }

    /// Everything that is written until the writing end is closed.
    func rest() -> String {
        close(write)
        var (text, buffer) = ([UInt8](), [UInt8](repeating: 0, count: 1 << 16))
        while case let count = Glibc.read(read, &buffer, buffer.count), count > 0 { text += buffer[..<count] }
        close(read)
        return String(decoding: text, as: UTF8.self)
    }

    /// Waits until the pipe is full and its content has stayed the same for a while. How many bytes that takes depends
    /// on how the lines were grouped, since the kernel counts pages.
    func isFull() async -> Bool {
        var (before, unchanged): (Int32, Int) = (0, 0)
        for _ in 0..<3000 {
            var pending: Int32 = 0
            _ = ioctl(read, UInt(FIONREAD), &pending)
            var writable = pollfd(fd: write, events: Int16(POLLOUT), revents: 0)
            let isStuck = pending > 0 && pending == before && poll(&writable, 1, 0) == 0
            unchanged = isStuck ? unchanged + 1 : 0
            if unchanged >= 20 { return true }
            before = pending
            // The task sleeps and not its thread, which other tests need.
            try? await Task.sleep(for: .milliseconds(10))
        }
        return false
    }
}

@Suite struct StreamWriterTests {
    private static func writer(_ descriptor: Int32) -> StreamWriter {
        StreamWriter(descriptor, notice: { "\($0) dropped\n" })
    }

    private static let line = String(repeating: "x", count: 99) + "\n"

    @Test func beforeItIsDetachedACallWritesBeforeItReturns() {
        let reader = Reader()
        let writer = Self.writer(reader.write)
        writer.post("a\n")
        writer.postProgress("b\n")
        writer.postLast("c\n")
        #expect(reader.rest() == "a\nb\nc\n")
    }

    @Test func whoPostsNeverWaitsAndWhatHadNoRoomIsCounted() async {
        let reader = Reader()
        let writer = Self.writer(reader.write)
        writer.detach()
        for _ in 0..<50 { writer.post(Self.line) }
        // The writer's thread holds some lines. The queue then takes its limit and no more.
        #expect(await reader.isFull())
        for _ in 0..<3 * StreamWriter.entryLimit { writer.post(Self.line) }
        writer.postProgress("old progress\n")
        writer.postProgress("new progress\n")
        writer.postLast("the last\n")
        writer.post("after the last\n")
        #expect(!writer.settle(patience: .milliseconds(20)))
        #expect(writer.fault == nil)
        let text = await Task.detached { [read = reader.read] in
            var (text, buffer) = ([UInt8](), [UInt8](repeating: 0, count: 1 << 16))
            while !String(decoding: text.suffix(9), as: UTF8.self).hasSuffix("the last\n") {
                let count = Glibc.read(read, &buffer, buffer.count)
                guard count > 0 else { break }
                text += buffer[..<count]
            }
            return String(decoding: text, as: UTF8.self)
        }.value
        #expect(writer.settle(patience: .seconds(5)))
        let lines = text.split(separator: "\n").map(String.init)
        let shown = lines.count { $0 + "\n" == Self.line }
        let dropped = lines.compactMap { $0.firstMatch(of: /^(\d+) dropped$/).flatMap { Int($0.1) } }
        #expect(shown + dropped.reduce(0, +) == 50 + 3 * StreamWriter.entryLimit)
        #expect(dropped.count == 1 && dropped[0] >= StreamWriter.entryLimit)
        #expect(lines.suffix(3) == ["\(dropped[0]) dropped", "new progress", "the last"])
        #expect(reader.rest() == "")
    }

    @Test func aBoundOfBytesHoldsToo() async {
        let reader = Reader()
        let writer = Self.writer(reader.write)
        writer.detach()
        writer.post(String(repeating: "y", count: 2 * Reader.capacity) + "\n")
        #expect(await reader.isFull())
        let large = String(repeating: "z", count: StreamWriter.byteLimit / 2) + "\n"
        for _ in 0..<4 { writer.post(large) }
        let text = await Task.detached { [read = reader.read] in
            var (text, buffer) = ([UInt8](), [UInt8](repeating: 0, count: 1 << 16))
            while !text.suffix(10).elementsEqual("3 dropped\n".utf8) {
                let count = Glibc.read(read, &buffer, buffer.count)
                guard count > 0 else { break }
                text += buffer[..<count]
            }
            return text
        }.value
        #expect(text.suffix(10).elementsEqual("3 dropped\n".utf8))
        #expect(reader.rest() == "")
    }

    @Test(arguments: [true, false]) func closedPipeIsRememberedAndNothingMoreIsWritten(detached: Bool) {
        signal(SIGPIPE, SIG_IGN)
        let reader = Reader()
        close(reader.read)
        let told = Mutex(0)
        let writer = StreamWriter(
            reader.write, notice: { _ in "" }, failed: { _ in told.withLock { $0 += 1 } })
        if detached { writer.detach() }
        writer.post("a\n")
        #expect(!writer.settle(patience: .seconds(5)))
        writer.post("b\n")
        writer.postLast("c\n")
        #expect(writer.fault == .failed(EPIPE))
        #expect(writer.fault?.description == "Broken pipe")
        // A detached writer reports the fault from its own thread, so the test waits for it.
        let deadline = ContinuousClock.now + .seconds(20)
        while detached, told.withLock({ $0 }) == 0, ContinuousClock.now < deadline { usleep(1000) }
        #expect(told.withLock { $0 } == (detached ? 1 : 0))
        close(reader.write)
    }

    @Test func fullDiskIsRemembered() {
        let full = open("/dev/full", O_WRONLY)
        let writer = Self.writer(full)
        writer.detach()
        writer.postLast("a\n")
        #expect(!writer.settle(patience: .seconds(5)))
        #expect(writer.fault == .failed(ENOSPC))
        close(full)
    }

    @Test func aDescriptorThatDoesNotWaitIsWaitedFor() async {
        let reader = Reader()
        _ = fcntl(reader.write, F_SETFL, O_NONBLOCK)
        let writer = Self.writer(reader.write)
        writer.detach()
        for _ in 0..<100 { writer.post(Self.line) }
        writer.postLast("end\n")
        #expect(await reader.isFull())
        let count = await Task.detached { [read = reader.read] in
            var (count, buffer) = (0, [UInt8](repeating: 0, count: 1 << 16))
            while count < 10_004 { count += max(0, Glibc.read(read, &buffer, buffer.count)) }
            return count
        }.value
        #expect(count == 10_004)
        #expect(writer.settle(patience: .seconds(5)) && writer.fault == nil)
        _ = reader.rest()
    }

    @Test func messagesStandAbovePicturesAndTheLastPictureStays() {
        let reader = Reader()
        let writer = Self.writer(reader.write)
        writer.detach()
        writer.postPicture { ["one", "two"] }
        #expect(writer.settle(patience: .seconds(5)))
        writer.post("message\n")
        #expect(writer.settle(patience: .seconds(5)))
        writer.leavePicture { ["three"] }
        #expect(writer.settle(patience: .seconds(5)))
        writer.post("after\n")
        #expect(writer.settle(patience: .seconds(5)))
        #expect(
            reader.rest() == "one\ntwo\n" + "\u{1B}[2A\r\u{1B}[Jmessage\none\ntwo\n" + "\u{1B}[2A\r\u{1B}[Jthree\n"
                + "after\n")
    }
}
