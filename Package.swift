// swift-tools-version:6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

func module(_ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = []) -> Target {
    .target(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

let log: Target.Dependency = .product(name: "Logging", package: "swift-log")
let collections: Target.Dependency = .product(name: "Collections", package: "swift-collections")

let package = Package(
    name: "coord",
    products: [
        .executable(name: "coord", targets: ["coord"]),
        // For a custom program: coord with transforms that are compiled into it.
        .library(name: "CoordKit", targets: ["CoordKit", "CoordCLI"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.5.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.1.0"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.30.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.6.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
    ],
    targets: [
        // The C libraries, and the only modules that import them.
        .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        // zmq.h is in the default path; libzmq's pkg-config adds flags for Kerberos that SwiftPM warns about.
        .systemLibrary(name: "CZeroMQ", providers: [.apt(["libzmq3-dev"])]),
        .systemLibrary(name: "CHost"),
        // The commit of this build, where the linker was told.
        .systemLibrary(name: "CBuild"),
        module("Postgres", ["CLibPQ", "Host"]),
        module("ZeroMQ", ["CZeroMQ", "Host"]),
        module("Host", ["CHost"]),
        // Keys of coordinators and workers, and who may join.
        module("Trust", ["ZeroMQ"]),

        // Pure: no Foundation, no socket, no database.
        module("Sharding"),
        // Not named Dispatch, which is libdispatch's module.
        module("Dispatching", ["Sharding", collections]),
        module("LedgerQueueing", ["Dispatching", "Sharding", collections]),
        module("WorkerLoop", ["Sharding"]),
        module("Report", ["Sharding"]),

        module("Job", ["Sharding", .product(name: "Yams", package: "Yams")]),
        module(
            "Wire", ["Sharding", .product(name: "SwiftProtobuf", package: "swift-protobuf")],
            exclude: ["coord.proto"]),
        module("Ledger", ["Sharding", "Postgres"]),
        module("CoordKit"),
        // The data plane: the statements that read and change the rows of a table and move a shard's position.
        module("Batches", ["CoordKit", "Postgres", "Sharding"]),
        // Programs and transforms that compute a batch's values.
        module("Compute", ["Batches", "CoordKit", "Host", "Sharding"]),
        // A run's job with every name resolved, as its workers read it.
        module("Specification", ["Batches", "Sharding"]),
        module("Preflight", ["Batches", "Job", "Ledger", "Postgres", "Sharding"]),
        module(
            "Coordinator",
            [
                "Batches", "Dispatching", "Host", "Job", "Ledger", "LedgerQueueing", "Postgres", "Preflight",
                "Report", "Sharding", "Specification", "Trust", "Wire", "ZeroMQ", log,
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]),
        module(
            "Worker",
            [
                "Batches", "Compute", "CoordKit", "Host", "Ledger", "Postgres", "Sharding", "Specification", "Wire",
                "WorkerLoop", "ZeroMQ", log,
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]),
        module(
            "CoordCLI",
            [
                "Batches", "CBuild", "Compute", "CoordKit", "Coordinator", "Host", "Job", "Ledger", "Postgres",
                "Preflight", "Report", "Sharding", "Trust", "Worker", "ZeroMQ", log,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ]),
        .executableTarget(name: "coord", dependencies: ["CoordCLI"], swiftSettings: settings),

        // Shared parts of several suites: a database for each test, sessions, a ledger with a run.
        .target(
            name: "Support", dependencies: ["Batches", "Host", "Ledger", "Postgres", "Sharding"], path: "Tests/Support",
            swiftSettings: settings),
        // Bytes that are nearly right, for all readers of untrusted ones.
        .target(name: "Mutations", dependencies: ["Sharding"], path: "Tests/Mutations", swiftSettings: settings),
        tests("JobTests", ["Job", "Mutations", "Sharding"]),
        tests("ShardingTests", ["Sharding"]),
        tests("DispatchingTests", ["Dispatching", "Sharding", collections]),
        tests("LedgerQueueingTests", ["LedgerQueueing", "Dispatching", "Sharding"]),
        tests("WorkerLoopTests", ["WorkerLoop", "Sharding"]),
        // Optimized, since they run thousands of seeds.
        .target(
            name: "SimulatedLedger", dependencies: ["Dispatching", "LedgerQueueing", "Sharding"],
            path: "Tests/SimulatedLedger",
            swiftSettings: settings + [.unsafeFlags(["-O"])]),
        .testTarget(
            name: "SimulationTests",
            dependencies: ["Dispatching", "LedgerQueueing", "SimulatedLedger", "WorkerLoop", "Sharding", "Wire"],
            swiftSettings: settings + [.unsafeFlags(["-O"])]),
        tests("ReportTests", ["Report", "Sharding"]),
        tests("PostgresTests", ["Postgres", "Host", "Sharding", "Support"]),
        tests("LedgerTests", ["Ledger", "Postgres", "Sharding", "Support"]),
        tests(
            "BatchesTests",
            ["Batches", "CoordKit", "Ledger", "Postgres", "Sharding", "SimulatedLedger", "Support"]),
        tests("SpecificationTests", ["Batches", "Sharding", "Specification"]),
        tests("ComputeTests", ["Batches", "Compute", "CoordKit", "Host", "Mutations", "Postgres", "Sharding"]),
        tests("PreflightTests", ["Batches", "Preflight", "Job", "Ledger", "Postgres", "Sharding", "Support"]),
        .testTarget(
            name: "ClusteredTests", dependencies: ["Postgres", "Host", "Sharding", "Support", "Wire", "ZeroMQ"],
            exclude: ["Programs"], swiftSettings: settings),
        // A custom program as a user would write it, with transforms; the clustered tests run it.
        .executableTarget(
            name: "own-transforms", dependencies: ["CoordKit", "CoordCLI"], path: "Tests/OwnTransforms",
            swiftSettings: settings),
        // Optimized, since it reads every source.
        .testTarget(
            name: "TidyTests", swiftSettings: settings + [.unsafeFlags(["-O"])]),
        tests("WireTests", ["Mutations", "Sharding", "Wire"]),
        tests("WorkerTests", ["Batches", "Ledger", "Postgres", "Sharding", "Worker", "WorkerLoop", "ZeroMQ"]),
        tests("TrustTests", ["Support", "Trust", "ZeroMQ"]),
        tests("ZeroMQTests", ["ZeroMQ"]),
        tests("HostTests", ["Host"]),
        tests(
            "CoordinatorTests",
            [
                "Coordinator", "Dispatching", "Host", "Job", "Ledger", "LedgerQueueing", "Postgres", "Preflight",
                "Report", "Sharding", "Support", "Trust", "Wire", "ZeroMQ", log,
            ]),
        tests(
            "CoordCLITests",
            [
                "CoordCLI", "Coordinator", "Job", "Ledger", "Report", "Sharding", "Worker",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
    ],
    swiftLanguageModes: [.v6]
)
