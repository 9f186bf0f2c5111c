package import Sharding

extension WorkerMessage {
    package func encoded(by worker: WorkerID) throws(WireError) -> [UInt8] {
        var frame = Coord_Wire_V1_FromWorker()
        frame.worker = worker.rawValue
        switch self {
        case .hello(let hello): frame.hello = .init(hello)
        case .heartbeat(let heartbeat): frame.heartbeat = .init(heartbeat)
        case .shardDone(let lease): frame.shardDone.lease = .init(lease)
        case .shardFailed(let failure): frame.shardFailed = .init(failure)
        case .leaseReleased(let lease): frame.leaseReleased.lease = .init(lease)
        case .leaseLost(let lease): frame.leaseLost.lease = .init(lease)
        case .turnWanted(let rows): frame.turnWanted.rowsWritten = rows
        case .turnEnded(let rows): frame.turnEnded.rowsWritten = rows
        case .goodbye(let reason): frame.goodbye.reason = TextLimit.cut(reason, to: TextLimit.reason)
        }
        return try serialized(frame)
    }

    package static func decode(_ bytes: [UInt8]) throws(WireError) -> (worker: WorkerID, message: WorkerMessage) {
        let frame: Coord_Wire_V1_FromWorker = try parsed(bytes)
        guard isUUID(frame.worker) else { throw WireError("a message without a worker's UUID") }
        return (WorkerID(frame.worker), try WorkerMessage(frame))
    }

    private init(_ frame: Coord_Wire_V1_FromWorker) throws(WireError) {
        switch frame.body {
        case .hello(let hello): self = .hello(try Hello(hello))
        case .heartbeat(let heartbeat): self = .heartbeat(try Heartbeat(heartbeat))
        case .shardDone(let done):
            self = .shardDone(try Lease(done.lease, isThere: done.hasLease, in: "a ShardDone"))
        case .shardFailed(let failed): self = .shardFailed(try ShardFailure(failed))
        case .leaseReleased(let released):
            self = .leaseReleased(try Lease(released.lease, isThere: released.hasLease, in: "a LeaseReleased"))
        case .leaseLost(let lost):
            self = .leaseLost(try Lease(lost.lease, isThere: lost.hasLease, in: "a LeaseLost"))
        case .turnWanted(let turn): self = .turnWanted(rows: max(0, turn.rowsWritten))
        case .turnEnded(let turn): self = .turnEnded(rows: max(0, turn.rowsWritten))
        case .goodbye(let goodbye):
            try TextLimit.check(goodbye.reason, TextLimit.reason, "a Goodbye with a reason")
            self = .goodbye(reason: goodbye.reason)
        case nil: throw WireError("a message without a known body")
        }
    }

    private static func isUUID(_ text: String) -> Bool {
        text.utf8.count == 36
            && text.utf8.enumerated().allSatisfy { index, byte in
                [8, 13, 18, 23].contains(index)
                    ? byte == 45 : (byte >= 48 && byte <= 57) || (byte >= 97 && byte <= 102)
            }
    }
}

// MARK: - HELLO

extension Coord_Wire_V1_Hello {
    init(_ hello: Hello) {
        self.init()
        `protocol` = hello.version
        build = TextLimit.cut(hello.build, to: TextLimit.name)
        host = TextLimit.cut(hello.host, to: TextLimit.name)
        pid = hello.pid
        credit = UInt32(clamping: hello.credit)
        transforms = hello.transforms
        ready = hello.isReady
        run = hello.run?.rawValue ?? 0
        problem = TextLimit.cut(hello.problem ?? "", to: TextLimit.reason)
    }
}

extension Hello {
    init(_ message: Coord_Wire_V1_Hello) throws(WireError) {
        // A worker of another version gets an answer with both versions, so its other members are not checked.
        if message.protocol == protocolVersion, message.ready, message.run <= 0 {
            throw WireError("a Hello that is ready for no run")
        }
        if message.protocol == protocolVersion { try Self.check(message) }
        self.init(
            version: message.protocol, build: TextLimit.cut(message.build, to: TextLimit.name),
            host: TextLimit.cut(message.host, to: TextLimit.name), pid: message.pid, credit: Int(message.credit),
            transforms: message.protocol == protocolVersion ? message.transforms : [], isReady: message.ready,
            run: message.run > 0 ? RunID(message.run) : nil,
            problem: message.problem.isEmpty ? nil : TextLimit.cut(message.problem, to: TextLimit.reason))
    }

    private static func check(_ message: Coord_Wire_V1_Hello) throws(WireError) {
        try TextLimit.check(message.build, TextLimit.name, "a Hello with a build")
        try TextLimit.check(message.host, TextLimit.name, "a Hello with a host's name")
        try TextLimit.check(message.problem, TextLimit.reason, "a Hello with a problem")
        for name in message.transforms { try TextLimit.check(name, TextLimit.name, "a Hello with a transform's name") }
        let bytes = message.transforms.reduce(0) { $0 + $1.utf8.count }
        guard bytes <= TextLimit.transforms else {
            throw WireError("a Hello with transforms of \(bytes) bytes, of at most \(TextLimit.transforms)")
        }
    }
}

// MARK: - Heartbeat

extension Coord_Wire_V1_Heartbeat {
    init(_ heartbeat: Heartbeat) {
        self.init()
        held = heartbeat.held.map { .init($0) }
        credit = UInt32(clamping: heartbeat.credit)
        rssBytes = heartbeat.rssBytes
        peakRssBytes = heartbeat.peakRSSBytes
        programRssBytes = heartbeat.programRSSBytes
        if let waiting = heartbeat.wait {
            waitsFor = TextLimit.cut(waiting.words, to: TextLimit.reason)
            let told = Coord_Wire_V1_Cause(waiting.cause)
            if told != .init() { wait = told }
        }
        excused = heartbeat.isExcused
        step = TextLimit.cut(heartbeat.step, to: TextLimit.name)
        stepSeconds = UInt32(clamping: heartbeat.stepSeconds)
    }
}

extension Coord_Wire_V1_Held {
    init(_ held: HeldLease) {
        self.init()
        lease = .init(held.lease)
        sequence = held.sequence
        rowsDone = held.rowsDone
        batchRows = UInt32(clamping: held.batchRows)
    }
}

extension Heartbeat {
    init(_ message: Coord_Wire_V1_Heartbeat) throws(WireError) {
        guard message.held.count <= TextLimit.leases else {
            throw WireError("a Heartbeat with \(message.held.count) leases, of at most \(TextLimit.leases)")
        }
        try TextLimit.check(message.step, TextLimit.name, "a Heartbeat with a step")
        try TextLimit.check(message.waitsFor, TextLimit.reason, "a Heartbeat with a wait")
        var held: [HeldLease] = []
        for item in message.held {
            let lease = try Lease(item.lease, isThere: item.hasLease, in: "a Heartbeat")
            guard item.sequence >= 0, item.rowsDone >= 0 else {
                throw WireError("a Heartbeat with \(item.sequence) batches and \(item.rowsDone) rows of \(lease)")
            }
            held.append(
                HeldLease(
                    lease: lease, sequence: item.sequence, rowsDone: item.rowsDone, batchRows: Int(item.batchRows)))
        }
        // Without words it waits for nothing.
        let cause = message.hasWait ? try FailureCause(message.wait, in: "a Heartbeat") : FailureCause()
        let wait = message.waitsFor.isEmpty ? nil : WorkerWait(words: message.waitsFor, cause: cause)
        self.init(
            held: held, credit: Int(message.credit), rssBytes: message.rssBytes, peakRSSBytes: message.peakRssBytes,
            programRSSBytes: message.programRssBytes, wait: wait, isExcused: message.excused,
            step: message.step, stepSeconds: Int(message.stepSeconds))
    }
}

// MARK: - Failures

extension Coord_Wire_V1_ShardFailed {
    init(_ failure: ShardFailure) {
        self.init()
        lease = .init(failure.lease)
        error = TextLimit.cut(failure.error, to: TextLimit.error)
        permanent = failure.scope == .shard
        unfit = failure.scope == .worker
        stopsRun = failure.scope == .run
        let told = Coord_Wire_V1_Cause(failure.cause)
        if told != .init() { cause = told }
    }
}

extension ShardFailure {
    init(_ message: Coord_Wire_V1_ShardFailed) throws(WireError) {
        let lease = try Lease(message.lease, isThere: message.hasLease, in: "a ShardFailed")
        try TextLimit.check(message.error, TextLimit.error, "a ShardFailed with an error")
        let scope: FailureScope
        switch (message.permanent, message.unfit, message.stopsRun) {
        case (false, false, false): scope = .attempt
        case (true, false, false): scope = .shard
        case (false, true, false): scope = .worker
        case (false, false, true): scope = .run
        default: throw WireError("a ShardFailed that blames more than one of shard, worker and run")
        }
        let cause = message.hasCause ? try FailureCause(message.cause, in: "a ShardFailed") : FailureCause()
        if let kind = cause.kind, kind.scope != scope {
            throw WireError("a ShardFailed whose kind \(kind) contradicts what it blames")
        }
        self.init(lease: lease, error: message.error, scope: scope, cause: cause)
    }
}
