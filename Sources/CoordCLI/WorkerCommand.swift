import ArgumentParser
import Coordinator
import Glibc
import Host
import Postgres
import ServiceLifecycle
import Sharding
import Trust
import UnixSignals
import Worker

struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "Join a coordinator and work for it until its run is over.")

    @OptionGroup var common: CommonOptions
    @Option(help: "The coordinator's endpoint: tcp://HOST:PORT or ipc://PATH; or several, with commas, tried in turn.")
    var connect: String
    @OptionGroup var keys: KeysOptions
    @Option(help: "Name of this worker's key pair, where the folder has several.") var key: String?
    @Flag(help: "Use keys also for 127.0.0.1 and [::1], such as at the end of a tunnel. --keys does the same.")
    var secure = false
    @Option(help: "Seconds without a coordinator after which the worker leaves.") var giveUpAfter: Int = 300

    func validate() throws {
        for endpoint in endpoints {
            guard let fault = CoordinationOptions.fault(ofEndpoint: endpoint) else { continue }
            throw ValidationError("--connect \(fault)")
        }
        guard endpoints.count <= Self.endpointLimit else {
            throw ValidationError("--connect: at most \(Self.endpointLimit) endpoints")
        }
        if let key, KeyName(key) == nil {
            throw ValidationError("--key \(key.visible): the name of a key is \(KeyName.rule)")
        }
        guard (1...86_400).contains(giveUpAfter) else {
            throw ValidationError("--give-up-after \(giveUpAfter): from 1 to 86400 seconds")
        }
    }

    func run() async throws {
        try await Self.work(
            WorkerService.Configuration(
                addresses: try addresses(), connection: .batches(try common.conninfo()),
                ledgerSchema: try common.schema(),
                build: Build.version, executable: Coordination.executable, giveUpAfter: .seconds(giveUpAfter)),
            verbose: common.verbose,
            json: common.json)
    }

    /// Addresses of coordinators at the most.
    private static let endpointLimit = 16

    private var endpoints: [String] {
        connect.split(separator: ",", omittingEmptySubsequences: false).map { String($0) }
    }

    /// - Throws: `TrustError` where keys are needed and cannot be used.
    private func addresses() throws -> [CoordinatorAddress] {
        let demandsKeys = endpoints.map { endpoint in
            guard endpoint.hasPrefix("tcp://") else { return false }
            return !Endpoint.isNear(endpoint) || secure || keys.path != nil
        }
        guard demandsKeys.contains(true) else { return endpoints.map { CoordinatorAddress(endpoint: $0) } }
        let folder = try keys.folder()
        let worker = WorkerKeys(
            own: try folder.worker(named: key.flatMap { KeyName($0) }), coordinator: try folder.pinned())
        return zip(endpoints, demandsKeys).map { CoordinatorAddress(endpoint: $0, keys: $1 ? worker : nil) }
    }

    /// What a process does that a coordinator, or a keeper, has spawned as its worker.
    static func run(_ worker: LeashedWorker) async throws {
        var keys: WorkerKeys?
        if worker.isKeyed {
            keys = LeashedWorker.Keys { Leash.nextByte() }.map { WorkerKeys(own: $0.own, coordinator: $0.coordinator) }
        }
        let isAdmitted = worker.isKeyed ? keys != nil : Leash.awaitAdmission()
        if !isAdmitted { WorkerService.endWithoutCoordinator(endpoint: worker.endpoint) }
        try await work(
            WorkerService.Configuration(
                addresses: worker.endpoint.split(separator: ",").map {
                    CoordinatorAddress(endpoint: String($0), keys: keys)
                },
                connection: .batches(try CommonOptions.inheritedConninfo()),
                ledgerSchema: try CommonOptions.inheritedSchema(), build: Build.version,
                executable: Coordination.executable, endsWithInput: true), verbose: worker.verbose)
    }

    private static func work(
        _ configuration: WorkerService.Configuration, verbose: Bool, json: Bool = false
    ) async throws {
        Terminal.detach()
        let reporter = ServiceReporter()
        let service = WorkerService(
            configuration: configuration, transforms: CoordTool.transforms,
            log: CommonOptions.logger("worker \(getpid())", verbose: verbose),
            joined: { run in if json { JSONOutput.print(JoinedObject(run: run.rawValue)) } },
            stands: { reporter.stands($0) })
        defer { reporter.stopping() }
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
