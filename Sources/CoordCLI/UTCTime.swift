import Glibc

/// A moment as text.
enum UTCTime {
    /// `2026-11-25T18:45:53Z`; nil for a year that has not four digits.
    static func text(seconds: Double) -> String? {
        guard (0..<253_402_300_800).contains(seconds) else { return nil }
        var (time, parts) = (time_t(seconds), tm())
        gmtime_r(&time, &parts)
        var buffer = [CChar](repeating: 0, count: 32)
        let count = strftime(&buffer, buffer.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
