/// Numbers as people read them. The same in every locale, so that logs can be compared and searched.
enum NumberFormat {
    /// A whole number with its thousands apart: `1,234,567`.
    static func grouped(_ number: Int64) -> String {
        var text = ""
        let digits = String(number.magnitude)
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index).isMultiple(of: 3) { text += "," }
            text.append(digit)
        }
        return number < 0 ? "-" + text : text
    }

    /// Rows a second: `152,310 rows/s`, and with a decimal below 10: `0.4 rows/s`. Not a finite number, or below 0: `0`.
    static func rate(_ rowsPerSecond: Double) -> String {
        let rate = rowsPerSecond.isFinite ? min(max(0, rowsPerSecond), 1e18) : 0
        let tenths = Int64((min(rate, 10) * 10).rounded())
        if tenths == 0 || tenths >= 100 { return grouped(Int64(rate.rounded())) + " rows/s" }
        return "\(tenths / 10).\(tenths % 10) rows/s"
    }

    /// Bytes in powers of 1024 with one decimal: `14.2 MiB`; whole below 1 KiB: `512 B`. Below 0: `0 B`.
    static func bytes(_ bytes: Int64) -> String {
        let (amount, unit) = scaled(bytes)
        return "\(amount) \(unit)"
    }

    /// Whole seconds, rounded down: `0:02`, `1:02:03`, and from a day on, without seconds, `2d 03:04`. Below 0: `0:00`.
    static func duration(_ duration: Duration) -> String {
        let seconds = max(0, duration.components.seconds)
        let (minutes, hours, days) = (seconds / 60 % 60, seconds / 3600 % 24, seconds / 86_400)
        if days > 0 { return "\(days)d \(padded(hours)):\(padded(minutes))" }
        if hours > 0 { return "\(hours):\(padded(minutes)):\(padded(seconds % 60))" }
        return "\(minutes):\(padded(seconds % 60))"
    }

    /// Memory and its peak, the peak's unit left out where it is the same: `14.2 MiB (peak 15.0)`.
    static func memory(_ bytes: Int64, peak: Int64) -> String {
        let (now, most) = (scaled(bytes), scaled(peak))
        return "\(now.amount) \(now.unit) (peak \(most.amount)\(now.unit == most.unit ? "" : " " + most.unit))"
    }

    private static func scaled(_ bytes: Int64) -> (amount: String, unit: String) {
        if bytes < 1024 { return (String(max(0, bytes)), "B") }
        var amount = Double(bytes)
        for unit in ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] {
            amount /= 1024
            let tenths = Int64((amount * 10).rounded())
            // 1023.96 KiB would print as 1024.0 KiB: that is 1.0 MiB.
            if tenths < 10_240 || unit == "EiB" { return ("\(tenths / 10).\(tenths % 10)", unit) }
        }
        return (String(bytes), "B")
    }

    private static func padded(_ number: Int64) -> String { number < 10 ? "0\(number)" : String(number) }
}
