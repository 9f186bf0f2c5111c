import Glibc
import Testing

@testable import Host

@Suite struct OutputLinesTests {
    private var lines = OutputLines()

    private mutating func take(_ text: String) -> [String] { lines.take(Array(text.utf8)[...]) }

    @Test mutating func linesAreWholeHoweverTheyCome() {
        #expect(take("on") == [])
        #expect(take("e\r\ntwo\nthr") == ["one", "two"])
        #expect(lines.finish() == ["thr"])
        #expect(lines.finish() == [])
        #expect(lines.kept == ["one", "two", "thr"])
    }

    @Test mutating func neitherALongLineNorManyTakeMemory() {
        let long = String(repeating: "x", count: 10 * OutputLines.widthLimit)
        #expect(take(long + "\n").map(\.utf8.count) == [OutputLines.widthLimit])
        for number in 0..<100 { _ = take("\(number)\n") }
        #expect(lines.kept.count == OutputLines.keptLimit)
        #expect(lines.kept.last == "99")
    }

    @Test mutating func whatIsNotThereYetIsNotWaitedFor() throws {
        let pipe = try Pipe()
        defer { close(pipe.readEnd) }
        _ = fcntl(pipe.readEnd, F_SETFL, O_NONBLOCK)
        #expect(lines.read(from: pipe.readEnd) == [])
        _ = write(pipe.writeEnd, "a\nb", 3)
        #expect(lines.read(from: pipe.readEnd) == ["a"])
        close(pipe.writeEnd)
        #expect(lines.read(from: pipe.readEnd) == [])
        #expect(lines.finish() == ["b"])
    }
}
