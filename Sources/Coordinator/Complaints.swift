/// Which lines about peers are written to the log: a few in a while, since a peer can give cause for any number.
struct Complaints {
    /// Lines in one interval.
    static let limit = 5
    static let interval = Duration.seconds(10)

    private var since: Duration?
    private var written = 0
    private var left = 0

    /// There is cause for a line.
    /// - Returns: how many lines were left out since the last one; nil if this one is left out too.
    mutating func arose(now: Duration) -> Int? {
        if since.map({ now - $0 >= Self.interval }) ?? true { (since, written) = (now, 0) }
        guard written < Self.limit else {
            left += 1
            return nil
        }
        written += 1
        defer { left = 0 }
        return left
    }
}
