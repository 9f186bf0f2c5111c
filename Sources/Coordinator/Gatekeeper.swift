import Logging
import Trust
import ZeroMQ

/// Who may join a coordinator by its key: the allow-list as it was read last. It belongs to the socket loop's thread.
final class Gatekeeper {
    /// Between two readings of the allow-list: a revoked key is noticed within it.
    static let readInterval = Duration.seconds(2)
    /// The same where an unknown key asks: it may have been allowed a moment ago.
    static let hurriedInterval = Duration.milliseconds(200)

    let own: CurveKeyPair
    private let folder: KeyFolder
    private let guests: [CurvePublicKey: KeyName]
    private let log: Logger
    private var list: AllowList
    /// As of the last `timePassed`.
    private var now = Duration.zero
    private var readAt = Duration.zero
    /// Why the list could not be read last time; it is told once.
    private var problems: [String] = []
    private var strangers = Strangers()
    /// Keys that were allowed when they were read before.
    private var revoked: [Revocation] = []

    struct Revocation: Equatable {
        var key: CurvePublicKey
        var name: String
    }

    init(_ credentials: CoordinatorCredentials, log: Logger) {
        own = credentials.own
        folder = credentials.folder
        guests = credentials.guests
        list = credentials.allowed
        self.log = log
    }

    /// What a key is called; nil where it may not join, or not any more.
    func name(of key: CurvePublicKey) -> String? { list.name(of: key)?.text }

    /// The answer to libzmq's question about a peer.
    func admits(_ request: ZAPRequest) -> Bool {
        if name(of: request.key) == nil, now - readAt >= Self.hurriedInterval { read() }
        if name(of: request.key) != nil { return true }
        strangers.refused(request.key, at: request.address, now: now)
        return false
    }

    /// Reads the list anew, once in a while.
    /// - Returns: keys that are not allowed any more, each once.
    func timePassed(now: Duration) -> [Revocation] {
        self.now = now
        if now - readAt >= Self.readInterval { read() }
        defer { revoked.removeAll() }
        return revoked
    }

    func takeStrangers() -> [Strangers.Stranger] { strangers.take() }

    private func read() {
        readAt = now
        do throws(TrustError) {
            let fresh = try folder.allowed(guests: guests)
            // A file that is being copied is half there. What it is counts at the next reading.
            let isNew = fresh.problems.contains { !problems.contains($0) }
            guard !isNew else { return tell(fresh.problems) }
            revoked += fresh.revoked(since: list).map { Revocation(key: $0.key, name: $0.name.text) }
            list = fresh
            problems = fresh.problems
        } catch {
            // The list that was read last goes on to hold: a folder that is away for a moment revokes nobody.
            tell(["the allow-list cannot be read, the one before holds: \(error)"])
        }
    }

    private func tell(_ found: [String]) {
        for problem in found where !problems.contains(problem) { log.error("\(problem)") }
        problems = found
    }
}
