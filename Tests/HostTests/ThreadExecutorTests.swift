import Glibc
import Host
import Testing

@Suite struct ThreadExecutorTests {
    private actor Counter {
        private let executor: ThreadExecutor
        nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
        private(set) var threads: Set<UInt> = []
        private(set) var count = 0

        init(name: String = "counter") { executor = ThreadExecutor(name: name) }

        func increment() async {
            threads.insert(UInt(pthread_self()))
            let before = count
            count = before + 1
            await Task.yield()
            threads.insert(UInt(pthread_self()))
        }

        func thread() -> UInt { UInt(pthread_self()) }

        /// The thread's name as the kernel keeps it, in at most 15 characters.
        func name() -> String {
            guard let file = fopen("/proc/thread-self/comm", "r") else { return "" }
            defer { fclose(file) }
            var bytes = [UInt8](repeating: 0, count: 16)
            let count = fread(&bytes, 1, bytes.count, file)
            return String(decoding: bytes.prefix(count), as: UTF8.self).filter { !$0.isNewline }
        }

        func isIsolatedHere() { assertIsolated() }
    }

    @Test func jobsOfAnActorRunOneAtATimeOnOneThread() async {
        let counter = Counter()
        await withTaskGroup { group in
            for _ in 0..<500 { group.addTask { await counter.increment() } }
        }
        #expect(await counter.count == 500)
        #expect(await counter.threads.count == 1)
        await counter.isIsolatedHere()
    }

    @Test func everyExecutorHasAThreadOfItsOwnWithItsName() async {
        let (first, second) = (Counter(name: "first"), Counter(name: "second"))
        #expect(await first.thread() != second.thread())
        #expect(await first.name() == "first")
        #expect(await second.name() == "second")
    }

    @Test func blockedThreadHoldsNobodyElseUp() async {
        actor Blocker {
            private let executor = ThreadExecutor(name: "blocker")
            nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
            func read(_ descriptor: Int32) -> UInt8 {
                var byte: UInt8 = 0
                _ = Glibc.read(descriptor, &byte, 1)
                return byte
            }
        }
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        let reader = ends[0]
        // There are more blocked threads than the cooperative pool has, and the pool must still run this test.
        let blockers = (0..<8).map { _ in Blocker() }
        await withTaskGroup { group in
            for blocker in blockers { group.addTask { await blocker.read(reader) } }
            await Task.yield()
            var bytes = [UInt8](repeating: 7, count: blockers.count)
            #expect(write(ends[1], &bytes, bytes.count) == blockers.count)
            for await byte in group { #expect(byte == 7) }
        }
        close(ends[0])
        close(ends[1])
    }
}
