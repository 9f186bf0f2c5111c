/// A condition did not come true in time.
struct TimedOut: Error, CustomStringConvertible {
    var what: String
    var limit: Duration
    var description: String { "not within \(limit): \(what)" }
}

/// The time between two looks at a condition. Tests wait for signals, never for a fixed time.
private let pollInterval = Duration.milliseconds(10)

/// Waits until the condition holds.
func eventually(_ what: String, within limit: Duration = .seconds(60), _ condition: () async throws -> Bool)
    async throws
{
    _ = try await first(what, within: limit) { try await condition() ? true : nil }
}

/// Waits until there is a value, and returns it.
func first<Value>(_ what: String, within limit: Duration = .seconds(60), _ body: () async throws -> Value?)
    async throws -> Value
{
    let deadline = ContinuousClock.now + limit
    while true {
        if let value = try await body() { return value }
        guard ContinuousClock.now < deadline else { throw TimedOut(what: what, limit: limit) }
        try await Task.sleep(for: pollInterval)
    }
}

/// The places for scenarios that run at the same time. Scenarios mostly wait, and the machine may have only two cores.
actor Slots {
    static let shared = Slots(6)

    private var free: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(_ count: Int) { free = count }

    func take() async {
        guard free == 0 else {
            free -= 1
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }

    func give() {
        if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
    }
}
