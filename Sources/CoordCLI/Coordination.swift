import ArgumentParser
import CoordKit
import Coordinator
import Glibc
import Host
import Job
import Ledger
import Logging
import Postgres
import Progress
import ServiceLifecycle
import Sharding
import UnixSignals
import Worker

/// Runs a coordinator from an opened run to its summary: what `start` and `resume` share.
struct Coordination {
    let common: CommonOptions
    let options: CoordinationOptions

    /// Whether local workers can compute what the job asks for; checked before anything is written.
    func checkCompute(_ job: Job) throws {
        guard options.workers > 0, case .compute(let compute) = job.change else { return }
        switch compute.program {
        case .command(let command):
            guard let fault = CommandCheck.fault(of: command, in: job.directory) else { return }
            throw ComputeFault(description: "compute.command cannot be started: \(fault)")
        case .transform(let name):
            let known = CoordTool.transforms.map(\.name)
            guard !known.contains(name) else { return }
            throw ComputeFault(
                description:
                    "compute.transform: this coord has no transform \(name), only \(known.joined(separator: ", "))")
        }
    }

    func checkListen() throws {
        guard let listen = options.listen, !Endpoint.isLocal(listen) else { return }
        throw CoordinatorError.openEndpoint(listen)
    }

    /// Spawns the local workers, who wait to be admitted; nil when there are to be none.
    func spawnWorkers(_ job: Job) throws -> LocalWorkers? {
        guard options.workers > 0 else { return nil }
        var environment: [String: String] = [:]
        if let conninfo = common.conninfo(job) { environment[CommonOptions.variable] = conninfo }
        return try LocalWorkers(
            executable: Self.executable, environment: environment, count: options.workers, verbose: common.verbose)
    }

    /// Runs the coordinator of a run that this process owns.
    ///
    /// - Parameter spawned: the local workers, or why they could not be spawned: the run is there already.
    func run(
        _ opening: RunOpening, _ opened: RunOpening.Opened, workers spawned: Result<LocalWorkers?, any Error>
    ) async throws {
        let run = opened.ownership.run
        let workers: LocalWorkers?
        do {
            workers = try spawned.get()
        } catch {
            // Its ownership ends with this process.
            try stop(run, error)
        }
        let presenter = Presenter(json: common.json)
        for warning in opened.warnings {
            presenter.message("warning", "note: \(warning)", ["warning": .string(warning)])
        }
        presenter.message(
            "started",
            "\(opened.resumed ? "resuming" : "starting") run \(run) of \(opened.job.name): \(opened.shards) shards, "
                + "about \(ProgressFormat.grouped(opened.rowsEstimated)) rows"
                + (opened.resumed ? ", \(ProgressFormat.grouped(opened.rowsDone)) done before" : ""),
            [
                "run": .number(run.rawValue), "job": .string(opened.job.name), "resumed": .boolean(opened.resumed),
                "shards": .number(Int64(opened.shards)), "rows_estimated": .number(opened.rowsEstimated),
            ])
        let service = CoordinatorService(
            configuration: CoordinatorService.Configuration(workers: workers, listen: options.listen),
            opening: opening, opened: opened,
            log: common.logger("coordinator"), notify: { presenter.show($0) })
        let started = MonotonicTime.now()
        do {
            try await serve(service, presenter)
        } catch {
            await service.giveBack()
            presenter.end()
            try stop(run, error)
        }
        let outcome = try await service.result()
        presenter.end(outcome.snapshot)
        let summary = Summary(outcome, run: opened, elapsed: MonotonicTime.now() - started)
        if common.json { JSONOutput.print(summary) } else { Terminal.write(summary.text + "\n", to: STDOUT_FILENO) }
        try ExitStatus.of(outcome.state).exit()
    }

    private func stop(_ run: RunID, _ error: any Error) throws -> Never {
        Terminal.complain("coord: run \(run) stopped: \(error)\n  coord resume \(run)   goes on")
        try ExitStatus.of(error).exit()
    }

    /// Ctrl-C once drains, twice stops at once.
    private func serve(_ service: CoordinatorService, _ presenter: Presenter) async throws {
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [
                    .init(service: service, successTerminationBehavior: .gracefullyShutdownGroup)
                ], logger: common.logger("lifecycle")))
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        let watcher = Task {
            var count = 0
            for await _ in signals {
                count += 1
                if count == 1 {
                    presenter.message("draining", "draining: each worker finishes its batch; again to stop at once")
                    await group.triggerGracefulShutdown()
                } else {
                    await service.abort()
                    Terminal.complain("stopped at once\n  coord resume \(service.runNumber)   goes on")
                    Glibc.exit(ExitStatus.interrupted.rawValue)
                }
            }
        }
        defer { watcher.cancel() }
        try await group.run()
    }

    /// This program's own file, to spawn workers from.
    static var executable: String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        return count > 0
            ? String(decoding: buffer[0..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
            : CommandLine.arguments[0]
    }
}

/// Why this process cannot compute what a job asks for.
struct ComputeFault: Error, CustomStringConvertible {
    var description: String
}

/// What a run came to.
struct Summary: Encodable {
    struct FailureObject: Encodable {
        var shard: Int32
        var after: Nullable<String>
        var through: Nullable<String>
        var error: String
    }

    var messageType = "summary"
    var run: Int64
    var job: String
    var state: String
    var rowsDone: Int64
    var rowsEstimated: Int64
    var elapsedSeconds: Double
    var rowsPerSecond: Double
    var shards: ShardCountsObject
    var failures: [FailureObject]
    var workers: [WorkerObject]
    var coordinatorPeakRssBytes: Int64

    init(_ outcome: CoordinatorService.Outcome, run opened: RunOpening.Opened, elapsed: Duration) {
        let seconds = elapsed / .seconds(1)
        run = opened.ownership.run.rawValue
        job = opened.job.name
        state = outcome.state.rawValue
        rowsDone = outcome.snapshot.rowsDone
        rowsEstimated = outcome.snapshot.rowsEstimated
        elapsedSeconds = (seconds * 1000).rounded() / 1000
        rowsPerSecond = rounded(Double(outcome.snapshot.rowsDone - opened.rowsDone) / max(seconds, 0.001))
        shards = ShardCountsObject(outcome.snapshot)
        failures = outcome.failures.map { failure in
            FailureObject(
                shard: failure.shard.rawValue, after: Nullable(failure.range.after?.description),
                through: Nullable(failure.range.through?.description), error: failure.error)
        }
        workers = outcome.workers.map { WorkerObject($0) }
        coordinatorPeakRssBytes = ProcessMemory.read().peak
    }

    var text: String {
        var lines = [
            "run \(run) of \(job): \(state)",
            "  \(ProgressFormat.grouped(rowsDone)) rows changed, "
                + "\(ProgressFormat.grouped(Int64(rowsPerSecond))) rows/s, \(elapsedSeconds) s",
            "  shards: \(shards.done) done, \(shards.failed) failed, \(shards.pending + shards.running) open",
            "  peak memory: coordinator \(ProgressFormat.bytes(coordinatorPeakRssBytes))",
        ]
        for worker in workers {
            lines.append("    worker \(worker.host):\(worker.pid)  \(ProgressFormat.bytes(worker.peakRssBytes))")
        }
        for failure in failures.prefix(10) {
            let range = "(\(failure.after.value ?? "-∞"), \(failure.through.value ?? "+∞")]"
            lines.append("  shard \(failure.shard) \(range) failed: \(failure.error)")
        }
        if failures.count > 10 { lines.append("  … and \(failures.count - 10) more: coord shards \(run)") }
        switch state {
        case "partial", "failed": lines.append("  mend the cause, then: coord resume \(run)")
        case "paused": lines.append("  coord resume \(run)   goes on where it stopped")
        default: break
        }
        return lines.joined(separator: "\n")
    }
}
