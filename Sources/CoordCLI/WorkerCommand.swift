import ArgumentParser
import Coordinator
import Glibc
import Host
import Postgres
import ServiceLifecycle
import Sharding
import UnixSignals
import Worker

struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "Join a coordinator and work for it until its run is over.")

    @OptionGroup var common: CommonOptions
    @Option(help: "The coordinator's endpoint: ipc://PATH or tcp://HOST:PORT.") var connect: String
    @Option(help: "Seconds without a coordinator after which the worker leaves.") var giveUpAfter: Int = 300

    func validate() throws {
        if let fault = CoordinationOptions.fault(ofEndpoint: connect) { throw ValidationError("--connect \(fault)") }
        guard (1...86_400).contains(giveUpAfter) else {
            throw ValidationError("--give-up-after \(giveUpAfter): from 1 to 86400 seconds")
        }
    }

    func run() async throws {
        try await Self.work(
            WorkerService.Configuration(
                endpoint: connect, connection: .batches(try common.conninfo()), ledgerSchema: try common.schema(),
                build: Build.version, executable: Coordination.executable, giveUpAfter: .seconds(giveUpAfter)),
            verbose: common.verbose,
            json: common.json)
    }

    /// What a process does that a coordinator has spawned as its worker.
    static func run(_ worker: LeashedWorker) async throws {
        if !Leash.awaitAdmission() { WorkerService.endWithoutCoordinator(endpoint: worker.endpoint) }
        try await work(
            WorkerService.Configuration(
                endpoint: worker.endpoint, connection: .batches(try CommonOptions.inheritedConninfo()),
                ledgerSchema: try CommonOptions.inheritedSchema(), build: Build.version,
                executable: Coordination.executable, endsWithInput: true), verbose: worker.verbose)
    }

    private static func work(
        _ configuration: WorkerService.Configuration, verbose: Bool, json: Bool = false
    ) async throws {
        Terminal.detach()
        let service = WorkerService(
            configuration: configuration, transforms: CoordTool.transforms,
            log: CommonOptions.logger("worker \(getpid())", verbose: verbose)
        ) { run in
            if json { JSONOutput.print(JoinedObject(run: run.rawValue)) }
        }
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [.init(service: service, successTerminationBehavior: .gracefullyShutdownGroup)],
                gracefulShutdownSignals: Coordination.signals,
                logger: CommonOptions.logger("lifecycle", verbose: verbose)))
        do {
            try await group.run()
        } catch {
            guard json else { throw error }
            Terminal.output.postLast(JSONOutput.line(WorkerSummary(run: await service.run, error: error)))
            Terminal.complain("coord: \(error)")
            try ExitStatus.of(error).exit()
        }
        if json { Terminal.output.postLast(JSONOutput.line(WorkerSummary(run: await service.run, error: nil))) }
    }
}

/// A worker is ready for leases.
private struct JoinedObject: Encodable {
    var messageType = "joined"
    var run: Int64
    var host = HostName.current
    var pid = getpid()
}

/// How a worker ended.
private struct WorkerSummary: Encodable {
    var messageType = "summary"
    var run: Nullable<Int64>
    var host = HostName.current
    var pid = getpid()
    /// `drained`, or why it left before: a `WorkerError.Kind`, or `error` for any other.
    var ended: String
    var peakRssBytes = ProcessMemory.read().peak
    var error: Nullable<String>

    init(run: RunID?, error: (any Error)?) {
        self.run = Nullable(run?.rawValue)
        ended = error.map { ($0 as? WorkerError)?.kind.rawValue ?? "error" } ?? "drained"
        self.error = Nullable(error.map { "\($0)" })
    }
}
