import ArgumentParser
import Compute
import CoordKit
import Coordinator
import Glibc
import Host
import Job
import Ledger
import Logging
import Postgres
import Report
import ServiceLifecycle
import Sharding
import Trust
import UnixSignals
import Worker

/// Runs a coordinator from an opened run to its summary: what `start` and `resume` share.
struct Coordination {
    let common: CommonOptions
    let options: CoordinationOptions
    let fleet: Fleet

    /// - Throws: `JobError` when the file of hosts is wrong.
    init(common: CommonOptions, options: CoordinationOptions) throws {
        self.common = common
        self.options = options
        fleet = try Fleet(options)
    }

    /// Whether local workers can compute what the job asks for; checked before anything is written.
    func checkCompute(_ job: Job) throws {
        guard fleet.here > 0, case .compute(let compute) = job.change else { return }
        if case .command = compute.program { try checkLimits(programs: true) }
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

    /// Whether this process can listen where it is to, and have what its workers need; before anything is written.
    /// - Returns: by which workers are known there; nil where no keys are demanded.
    func checkListen() throws -> CoordinatorCredentials? {
        let credentials = try credentials()
        if let listen = options.endpoint { try Endpoint.check(listen, demandsKeys: credentials != nil) }
        try checkLimits(programs: false)
        return credentials
    }

    /// The coordinator's own pair is made where there is none yet.
    private func credentials() throws -> CoordinatorCredentials? {
        guard let listen = options.endpoint else { return nil }
        let isFile = listen.hasPrefix("ipc://")
        let isAskedFor = options.secure || fleet.isRemote || !isFile && options.keys.path != nil
        guard !Endpoint.isLocal(listen) || isAskedFor else { return nil }
        let folder = try options.keys.folder()
        try folder.makeCoordinator(created: KeysCommand.now)
        return try folder.credentials(guests: fleet.guests)
    }

    private func checkLimits(programs: Bool) throws {
        try CoordinatorLimits.check(
            workers: fleet.here, listens: options.endpoint != nil, programs: programs, remote: fleet.remote)
    }

    /// Spawns the local workers, who wait to be admitted; nil when there are to be none.
    ///
    /// - Parameter schema: where the run's ledger is, which need not be where the job says: it may have been resumed.
    func spawnWorkers(_ job: Job, _ schema: LedgerSchema) throws -> LocalWorkers? {
        guard fleet.here > 0 else { return nil }
        var environment = [CommonOptions.schemaVariable: schema.quoted]
        if let conninfo = options.workerDatabase ?? common.explicit(job) {
            environment[CommonOptions.variable] = conninfo
        }
        return try LocalWorkers(
            executable: Self.executable, environment: environment, count: fleet.here, verbose: common.verbose)
    }

    /// What starts the workers of other hosts; nil where there are none.
    func remoteHosts(_ job: Job, _ schema: LedgerSchema) -> RemoteHosts? {
        fleet.remoteHosts(conninfo: common.explicit(job), schema, isVerbose: common.verbose)
    }

    /// Runs the coordinator of a run that this process owns.
    ///
    /// - Parameters:
    ///   - schema: where the run's ledger is.
    ///   - spawned: the local workers, or why they could not be spawned: the run is there already.
    func run(
        _ opening: RunOpening, _ opened: RunOpening.Opened, in schema: LedgerSchema,
        workers spawned: sending Result<LocalWorkers?, any Error>, credentials: CoordinatorCredentials?
    ) async throws {
        let run = opened.ownership.run
        Suggestion.shows(run)
        let presenter = Presenter(json: common.json)
        let workers: LocalWorkers?
        do {
            workers = try spawned.get()
        } catch {
            // Its ownership ends with this process.
            try stop(Summary(untouched: opened, error: error), error, presenter)
        }
        for warning in opened.warnings {
            presenter.message("warning", "note: \(warning)", ["warning": .string(warning)])
        }
        presenter.message(
            "started",
            "\(opened.resumed ? "resuming" : "starting") run \(run) of \(opened.job.name): \(opened.shards) shards, "
                + "about \(NumberFormat.grouped(opened.rowsEstimated)) rows"
                + (opened.resumed ? ", \(NumberFormat.grouped(opened.rowsDone)) done before" : ""),
            [
                "run": .number(run.rawValue), "job": .string(opened.job.name), "resumed": .boolean(opened.resumed),
                "shards": .number(Int64(opened.shards)), "rows_estimated": .number(opened.rowsEstimated),
            ])
        let reporter = ServiceReporter()
        defer { reporter.stopping() }
        if fleet.isRemote { presenter.message("workers_wanted", fleet.text, fleet.jsonMembers) }
        let service = CoordinatorService(
            configuration: CoordinatorService.Configuration(
                listen: options.endpoint, credentials: credentials), workers: workers,
            hosts: remoteHosts(opened.job, schema), opening: opening, opened: opened, log: common.logger("coordinator"),
            notify: { event in
                presenter.show(event)
                reporter.happened(event)
            })
        let started = MonotonicTime.now()
        do {
            try await serve(service, presenter, reporter) {
                Summary($0, run: opened, elapsed: MonotonicTime.now() - started)
            }
        } catch {
            let outcome = await service.giveBack()
            presenter.end()
            let summary = Summary(outcome, run: opened, elapsed: MonotonicTime.now() - started, error: error)
            try stop(summary, error, presenter)
        }
        let outcome: RunOutcome
        do {
            outcome = try await service.result()
        } catch {
            presenter.end()
            let summary = Summary(
                await service.known, run: opened, elapsed: MonotonicTime.now() - started, error: error)
            try stop(summary, error, presenter)
        }
        presenter.end(outcome.report)
        let summary = Summary(outcome, run: opened, elapsed: MonotonicTime.now() - started)
        presenter.summarize(summary)
        if !common.json { print(Terminal.withHeadlineInSight(summary.text)) }
        try ExitStatus.of(outcome.state).exit()
    }

    private func stop(_ summary: Summary, _ error: any Error, _ presenter: Presenter) throws -> Never {
        presenter.summarize(summary)
        let next = Self.advice(run: summary.run, isOver: summary.isOver, after: error)
        Terminal.complain("coord: run \(summary.run) stopped: \("\(error)".indented)\(next)")
        try ExitStatus.of(error).exit()
    }

    /// The next command after an error that has stopped this coordinator; empty if the error says it itself.
    static func advice(run: Int64, isOver: Bool, after error: any Error) -> String {
        if (error as? LedgerError)?.code == .damaged { return "" }
        // A run that another coordinator has is not to be resumed.
        let isElsewhere = error as? CoordinatorError == .ousted
        return isOver || isElsewhere ? "\n  coord status \(run)" : "\n  coord resume \(run)   goes on"
    }

    /// Ctrl-C once drains, twice stops at once. A terminal that is closed only drains: its signal may come twice by itself.
    private func serve(
        _ service: CoordinatorService, _ presenter: Presenter, _ reporter: ServiceReporter,
        summary: @escaping @Sendable (RunOutcome) -> Summary
    ) async throws {
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [
                    .init(service: service, successTerminationBehavior: .gracefullyShutdownGroup)
                ], logger: common.logger("lifecycle")))
        let signals = await UnixSignalsSequence(trapping: Self.signals)
        let watcher = Task {
            var (isDraining, asked) = (false, 0)
            for await signal in signals {
                if signal != .sighup { asked += 1 }
                if asked > 1 {
                    presenter.summarize(summary(await service.abort()))
                    Terminal.complain("stopped at once\n  coord resume \(service.runNumber)   goes on")
                    Terminal.exit(ExitStatus.interrupted.rawValue)
                }
                if isDraining { continue }
                isDraining = true
                reporter.stopping()
                presenter.message("draining", "draining: each worker finishes its batch; again to stop at once")
                await group.triggerGracefulShutdown()
            }
        }
        defer { watcher.cancel() }
        try await group.run()
    }

    /// What drains. Not SIGHUP where this process was started to outlive its terminal.
    static let signals: [UnixSignal] = [.sigint, .sigterm] + (Hangup.isIgnored ? [] : [.sighup])

    /// This program's own file, to spawn workers from.
    static var executable: String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        return count > 0
            ? String(decoding: buffer[0..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
            : CommandLine.arguments[0]
    }
}
