import Mutations
import Testing

@testable import Job

/// A job file is a job or an error with a place, whatever is in it.
@Suite struct MutationTests {
    private static let files = [
        "name: j\ntable: s.t\nkey: [a, b]\nwhere: c > 1\nset: { a: b + 1, \"d e\": 'x' }\nbatch: { rows: 50, bytes: 1MiB }\n",
        "table: t\nread: [n]\ncompute:\n  command: [python3, \"p.py\"]\n  writes: [n]\n  timeout: 60s\n  numbers: strings\n",
        "table: t\nset: { a: b }\nshards: 8\nretry: { attempts: 3, backoff: 10ms, max_backoff: 1s }\nlock_patience: 30s\norder: comb\n",
        "table: &x t\nset:\n  a: |\n    CASE WHEN b THEN 1 END\ntime_zone: Europe/Berlin\ndatabase: service=a\n",
    ]

    @Test(arguments: 0..<UInt64(4)) func fileIsAJobOrIsRefused(seed: UInt64) {
        var mutation = Mutation(of: Self.files.map { Array($0.utf8) }, seed: seed)
        var (taken, refused) = (0, 0)
        for _ in 0..<200 {
            if let error = refusal(of: String(decoding: mutation.next(), as: UTF8.self)) {
                #expect(!error.description.isEmpty)
                refused += 1
            } else {
                taken += 1
            }
        }
        #expect(taken > 0 && refused > 50)
    }
}
