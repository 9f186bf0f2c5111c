import Glibc
import Synchronization

/// A terminal without a person. It keeps what programs write as a screen would show it.
final class PseudoTerminal: Sendable {
    /// The end of the terminal that the program gets.
    let slave: Int32
    private let master: Int32
    private let isOpen = Mutex(true)
    private let screen: Mutex<Screen>

    struct Failure: Error { var code: Int32 }

    init(columns: Int, rows: Int) throws {
        var size = winsize(ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
        var (master, slave) = (Int32(-1), Int32(-1))
        guard openpty(&master, &slave, nil, nil, &size) == 0 else { throw Failure(code: errno) }
        for descriptor in [master, slave] { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        _ = fcntl(master, F_SETFL, O_NONBLOCK)
        self.master = master
        self.slave = slave
        screen = Mutex(Screen(columns: columns))
    }

    deinit { hangUp() }

    /// Ends the terminal, as when its window is closed.
    func hangUp() {
        isOpen.withLock { isOpen in
            guard isOpen else { return }
            isOpen = false
            close(slave)
            close(master)
        }
    }

    /// Types a text, as a person at the keyboard does.
    func type(_ text: String) {
        _ = text.withCString { write(master, $0, strlen($0)) }
    }

    /// Reads what programs have written since the last call. A program that writes much waits for this call.
    func read() throws -> Screen {
        try screen.withLock { screen in
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            while true {
                let count = Glibc.read(master, &buffer, buffer.count)
                if count > 0 {
                    screen.take(buffer[..<count])
                } else if count < 0, errno == EAGAIN {
                    return screen
                } else if count == 0 || errno != EINTR {
                    throw Failure(code: errno)
                }
            }
        }
    }
}

/// What a terminal shows, for the escapes that coord uses. It has as many lines as were written.
struct Screen: Sendable {
    let columns: Int
    /// The number of lines that did not fit.
    private(set) var wraps = 0
    /// The number of escapes that set a color or a style.
    private(set) var colors = 0
    /// The number of escapes that this screen does not know.
    private(set) var strangers = 0
    private var cells: [[Unicode.Scalar]] = [[]]
    private var row = 0
    private var column = 0
    /// The bytes of a character or an escape that is not complete yet.
    private var rest: [UInt8] = []

    init(columns: Int) { self.columns = columns }

    var lines: [String] {
        cells.map { line in
            var text = String.UnicodeScalarView()
            text.append(contentsOf: line)
            return String(text)
        }
    }

    mutating func take(_ bytes: some Sequence<UInt8>) {
        rest.append(contentsOf: bytes)
        while let (length, scalar) = next() {
            let sequence = rest[..<length]
            if let scalar { put(scalar) } else { obey(sequence) }
            rest.removeFirst(length)
        }
    }

    /// The length of the next character or escape, and the character; nil while it is incomplete.
    private func next() -> (length: Int, scalar: Unicode.Scalar?)? {
        guard let first = rest.first else { return nil }
        if first == 0x1B {
            // An escape is ESC [, numbers, and a letter.
            guard let end = rest.dropFirst(2).firstIndex(where: { $0 >= 0x40 }) else { return nil }
            return (end + 1, nil)
        }
        let length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
        guard rest.count >= length else { return nil }
        return (length, String(decoding: rest[..<length], as: UTF8.self).unicodeScalars.first)
    }

    private mutating func put(_ scalar: Unicode.Scalar) {
        switch scalar {
        case "\r": column = 0
        case "\n": down()
        default:
            if column == columns {
                wraps += 1
                column = 0
                down()
            }
            while cells[row].count <= column { cells[row].append(" ") }
            cells[row][column] = scalar
            column += 1
        }
    }

    private mutating func down() {
        row += 1
        if row == cells.count { cells.append([]) }
    }

    private mutating func obey(_ escape: ArraySlice<UInt8>) {
        let number = Int(String(decoding: escape.dropFirst(2).dropLast(), as: UTF8.self))
        switch escape.last {
        case UInt8(ascii: "A"): row = max(0, row - (number ?? 1))
        case UInt8(ascii: "J"):
            cells[row].removeSubrange(min(column, cells[row].count)...)
            cells.removeSubrange((row + 1)...)
        case UInt8(ascii: "m"): colors += 1
        default: strangers += 1
        }
    }
}
