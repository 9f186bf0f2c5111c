internal import Sharding

extension CoordinatorMessage {
    package func encoded() throws(WireError) -> [UInt8] {
        var frame = Coord_Wire_V1_FromCoordinator()
        switch self {
        case .welcome(let welcome): frame.welcome = .init(welcome)
        case .refused(let refusal):
            frame.refused.reason = refusal.reason
            frame.refused.mend = refusal.mend
        case .assign(let lease, let batchRows):
            frame.assign.lease = .init(lease)
            frame.assign.batchRows = UInt32(clamping: batchRows)
        case .revoke(let lease): frame.revoke.lease = .init(lease)
        case .drain: frame.drain = .init()
        case .rejoin: frame.rejoin = .init()
        case .alive(let taking): frame.alive.turns = .init(taking)
        case .turn(let slice, let rows):
            frame.turn.sliceMs = UInt32(clamping: milliseconds(slice))
            frame.turn.rows = UInt32(clamping: rows ?? 0)
        }
        return try serialized(frame)
    }

    package static func decode(_ bytes: [UInt8]) throws(WireError) -> CoordinatorMessage {
        let frame: Coord_Wire_V1_FromCoordinator = try parsed(bytes)
        switch frame.body {
        case .welcome(let welcome): return .welcome(try Welcome(welcome))
        case .refused(let refused): return .refused(Refusal(reason: refused.reason, mend: refused.mend))
        case .assign(let assign):
            let lease = try Lease(assign.lease, isThere: assign.hasLease, in: "an Assign")
            return .assign(lease, batchRows: Int(assign.batchRows))
        case .revoke(let revoke):
            return .revoke(try Lease(revoke.lease, isThere: revoke.hasLease, in: "a Revoke"))
        case .drain: return .drain
        case .rejoin: return .rejoin
        case .alive(let alive): return .alive(TurnTaking(alive.turns))
        case .turn(let turn):
            return .turn(
                slice: .milliseconds(Int64(turn.sliceMs)), rows: turn.rows > 0 ? Int(turn.rows) : nil)
        case nil: throw WireError("a message without a known body")
        }
    }
}

extension Coord_Wire_V1_Welcome {
    init(_ welcome: Welcome) {
        self.init()
        `protocol` = welcome.version
        run = welcome.run.rawValue
        systemIdentifier = welcome.systemIdentifier
        database = welcome.database
        heartbeatMs = UInt32(clamping: milliseconds(welcome.heartbeatInterval))
        ledgerSchema = welcome.ledgerSchema
        turns = .init(welcome.turnTaking)
    }
}

extension Welcome {
    init(_ message: Coord_Wire_V1_Welcome) throws(WireError) {
        guard message.run > 0 else { throw WireError("a Welcome to no run") }
        guard !message.systemIdentifier.isEmpty, !message.database.isEmpty else {
            throw WireError("a Welcome to run \(message.run) of no database")
        }
        guard message.heartbeatMs > 0 else { throw WireError("a Welcome with a heartbeat every 0 ms") }
        self.init(
            version: message.protocol, run: RunID(message.run), systemIdentifier: message.systemIdentifier,
            database: message.database, heartbeatInterval: .milliseconds(Int64(message.heartbeatMs)),
            ledgerSchema: message.ledgerSchema.isEmpty ? LedgerSchema.standard.name : message.ledgerSchema,
            turnTaking: TurnTaking(message.turns))
    }
}

extension Coord_Wire_V1_Turns {
    init(_ taking: TurnTaking) {
        switch taking {
        case .none: self = .none
        case .forSpeed: self = .speed
        case .forPace: self = .pace
        }
    }
}

extension TurnTaking {
    /// What a newer coordinator may say limits the worker more, not less.
    init(_ turns: Coord_Wire_V1_Turns) {
        switch turns {
        case .none: self = .none
        case .speed: self = .forSpeed
        case .pace, .UNRECOGNIZED: self = .forPace
        }
    }
}

private func milliseconds(_ duration: Duration) -> Int64 {
    let (seconds, attoseconds) = duration.components
    return seconds * 1000 + attoseconds / 1_000_000_000_000_000
}
