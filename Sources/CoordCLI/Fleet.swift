import Coordinator
import Host
import Job
import Sharding
import Trust
import ZeroMQ

/// The workers that a coordinator starts: on its own host, and on those of a file of hosts.
struct Fleet {
    /// The number of local workers.
    let here: Int
    private let inventory: Inventory?
    /// The hosts that are to have workers, each with a key pair of this process's own making.
    private let members: [Member]

    private struct Member {
        var host: InventoryHost
        /// Nil for one a core of that host.
        var workers: Int?
        var own: CurveKeyPair
    }

    /// Reads the file of hosts, if there is one.
    /// - Throws: `JobError` with all that is wrong in the file.
    init(_ options: CoordinationOptions) throws {
        inventory = try options.hosts.map { try Inventory.load(path: $0) }
        here = inventory?.here ?? options.workersHere
        members = try (inventory?.hosts ?? []).compactMap { host in
            let workers = host.workers ?? options.workers
            if let workers, workers > InventoryHost.workersRange.upperBound {
                throw UsageFault(
                    description: "--workers \(workers): a host has at most \(InventoryHost.workersRange.upperBound)\n"
                        + "  give \(host.name) its own number in \(options.hosts ?? "")")
            }
            return workers == 0 ? nil : Member(host: host, workers: workers, own: try CurveKeyPair.generate())
        }
    }

    /// The keys of the other hosts' workers. They are known to this process and to ssh's other ends alone.
    var guests: [CurvePublicKey: KeyName] {
        var guests: [CurvePublicKey: KeyName] = [:]
        for member in members { guests[member.own.publicKey] = KeyName(member.host.name) }
        return guests
    }

    var isRemote: Bool { !members.isEmpty }
    /// All workers, as many as this host can know of.
    var total: Int { here + remoteWorkers }
    var remote: (hosts: Int, workers: Int) { (members.count, remoteWorkers) }
    private var remoteWorkers: Int { members.reduce(0) { $0 + ($1.workers ?? Processors.count) } }

    /// What starts the workers of other hosts; nil where there are none.
    ///
    /// - Parameters:
    ///   - conninfo: what the command line or the job says to connect to; nil if they say nothing.
    ///   - schema: where the run's ledger is.
    func remoteHosts(conninfo: String?, _ schema: LedgerSchema, isVerbose: Bool) -> RemoteHosts? {
        guard isRemote else { return nil }
        let plans = members.map { member in
            var environment = member.host.environment
            environment[CommonOptions.schemaVariable] = schema.quoted
            let isChosen = CommonOptions.decisive.contains { environment[$0] != nil }
            if let text = member.host.database ?? (isChosen ? nil : conninfo) {
                environment[CommonOptions.variable] = text
            }
            return RemoteHosts.Plan(
                host: member.host, workers: member.workers, own: member.own, environment: environment)
        }
        return RemoteHosts(plans, address: inventory?.coordinator, isVerbose: isVerbose)
    }

    /// Who starts how many workers.
    var text: String {
        let others = members.map { "\($0.workers.map { "\($0)" } ?? "one a core") on \($0.host.name)" }
        return "workers: " + (["\(here) here"] + others).joined(separator: ", ")
    }

    var jsonMembers: [String: JSONValue] {
        [
            "here": .number(Int64(here)),
            "hosts": .list(
                members.map { member in
                    .object([
                        "host": .string(member.host.name),
                        "workers": .optional(member.workers.map { .number(Int64($0)) }),
                    ])
                }),
        ]
    }
}
