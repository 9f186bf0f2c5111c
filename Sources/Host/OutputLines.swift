import Glibc

/// Splits what comes through a non-blocking descriptor into lines, and keeps the last ones. Both are bounded.
package struct OutputLines {
    /// Bytes of a line at the most; the rest of a longer one is dropped.
    static let widthLimit = 1000
    /// The lines that are kept.
    static let keptLimit = 20
    /// Bytes that are read in one call, so that a flood holds up nobody.
    static let readLimit = 64 << 10

    private var partial: [UInt8] = []
    /// The last lines, the newest last.
    package private(set) var kept: [String] = []

    package init() {}

    /// Reads what is there.
    /// - Returns: the lines that are whole now.
    package mutating func read(from descriptor: Int32) -> [String] {
        var lines: [String] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        var total = 0
        while total < Self.readLimit {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            total += count
            lines += take(buffer[..<count])
        }
        return lines
    }

    /// Takes what has no end of a line as a line: nothing more will come.
    package mutating func finish() -> [String] { partial.isEmpty ? [] : [end()] }

    /// The lines so far are of no interest any more.
    package mutating func forget() { kept.removeAll() }

    mutating func take(_ bytes: ArraySlice<UInt8>) -> [String] {
        var lines: [String] = []
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                lines.append(end())
            } else if byte != UInt8(ascii: "\r"), partial.count < Self.widthLimit {
                partial.append(byte)
            }
        }
        return lines
    }

    private mutating func end() -> String {
        let line = String(decoding: partial, as: UTF8.self)
        partial.removeAll()
        kept.append(line)
        if kept.count > Self.keptLimit { kept.removeFirst() }
        return line
    }
}
