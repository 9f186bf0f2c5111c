import ArgumentParser
import Coordinator
import Glibc
import Host
import Postgres
import ServiceLifecycle
import UnixSignals
import Worker

struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "Join a coordinator and work for it until its run is over.")

    @OptionGroup var common: CommonOptions
    @Option(help: "The coordinator's endpoint: ipc://PATH or tcp://HOST:PORT.") var connect: String
    @Option(help: "Seconds without a coordinator after which the worker leaves.") var giveUpAfter: Int = 300
    @Flag(help: .hidden) var leashed = false

    func validate() throws {
        guard connect.hasPrefix("ipc://") || connect.hasPrefix("tcp://") else {
            throw ValidationError("--connect \(connect): an endpoint begins with ipc:// or tcp://")
        }
        guard (1...86_400).contains(giveUpAfter) else {
            throw ValidationError("--give-up-after \(giveUpAfter): from 1 to 86400 seconds")
        }
    }

    func run() async throws {
        if leashed, !Leash.awaitAdmission() { WorkerService.endWithoutCoordinator(endpoint: connect) }
        let service = WorkerService(
            configuration: WorkerService.Configuration(
                endpoint: connect, connection: .batches(common.conninfo()), build: Build.version,
                executable: Coordination.executable, endsWithInput: leashed, giveUpAfter: .seconds(giveUpAfter)),
            transforms: CoordTool.transforms,
            log: common.logger("worker \(getpid())"))
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [.init(service: service, successTerminationBehavior: .gracefullyShutdownGroup)],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: common.logger("lifecycle")))
        try await group.run()
    }
}
