import CoordKit
import Foundation
import Glibc
import Ledger
import Sharding
import Testing

@testable import Worker

/// Real programs, fed by real pipes.
struct CommandComputeTests {
    static let id = Target.Column(
        name: "id", quoted: "id", type: 20, typeName: "bigint", value: ValueType(base: 20, name: "pg_catalog.int8"))
    static let text = Target.Column(
        name: "a", quoted: "a", type: 25, typeName: "text", value: ValueType(base: 25, name: "pg_catalog.text"))
    static let written = Target.Column(
        name: "v", quoted: "v", type: 25, typeName: "text", value: ValueType(base: 25, name: "pg_catalog.text"))

    static func compute(_ program: String, timeout: Duration = .seconds(10)) -> CommandCompute {
        let target = Target(
            oid: 1, table: "public.t", alias: "t", key: id, keyType: .bigint, predicate: nil,
            change: .compute(read: [text], writes: [written]))
        return CommandCompute(
            command: ["python3", "-c", "import sys, json, os, time\n" + program], directory: "/", timeout: timeout,
            target: target, read: [text], writes: [written], batchRows: 10, batchBytes: 4 << 20)
    }

    static func batch(_ rows: Int, value: String = "x") -> RowBatch {
        var batch = RowBatch(columns: 4)
        for row in 0..<rows {
            batch.append("\(row + 1)")
            batch.append("700")
            batch.append("(0,1)")
            batch.append("\(value)\(row)")
        }
        return batch
    }

    static let echo = """
        for line in sys.stdin:
            r = json.loads(line)
            print(json.dumps({"id": r["id"], "v": r["a"].upper()}))
        """

    /// The samples in Config do the same, in different ways; texts of 5,000 characters do not fit into the pipes.
    @Test(arguments: ["compute.py", "compute_chunks.py"], [0, 5_000])
    func theSamplesComputeEveryRow(sample: String, width: Int) throws {
        let read = [
            Target.Column(
                name: "field1", quoted: "field1", type: 25, typeName: "text",
                value: ValueType(base: 25, name: "pg_catalog.text")),
            Target.Column(
                name: "field2", quoted: "field2", type: 23, typeName: "integer",
                value: ValueType(base: 23, name: "pg_catalog.int4")),
        ]
        let written = Target.Column(
            name: "field3", quoted: "field3", type: 25, typeName: "text",
            value: ValueType(base: 25, name: "pg_catalog.text"))
        let target = Target(
            oid: 1, table: "public.t", alias: "t", key: Self.id, keyType: .bigint, predicate: nil,
            change: .compute(read: read, writes: [written]))
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Config").path
        let compute = CommandCompute(
            command: ["python3", sample], directory: folder, timeout: .seconds(20), target: target, read: read,
            writes: [written], batchRows: 1000, batchBytes: 16 << 20)
        let texts = ["plain", "a \"quote\"", "back\\slash", "line\nbreak", "größe", "", nil]
        for rows in [1, 1000, 2] {
            var batch = RowBatch(columns: 5)
            let values = (0..<rows).map { row in
                texts[row % texts.count].map { $0 + String(repeating: "y", count: width) }
            }
            for (row, value) in values.enumerated() {
                batch.append("\(row + 1)")
                batch.append("700")
                batch.append("(0,1)")
                batch.append(value)
                batch.append(row % 10 == 9 ? nil as String? : "\(row)")
            }
            let computed = try compute.compute(batch)
            for (row, value) in values.enumerated() {
                let expected = row % 10 == 9 ? nil : value.map { "\($0.uppercased())-\(row * 3)" }
                #expect(computed.text(row: row, column: 0) == expected)
            }
        }
    }

    @Test func aProgramIsFedBatchAfterBatchByOneProcess() throws {
        let compute = Self.compute(
            """
            for line in sys.stdin:
                r = json.loads(line)
                print(json.dumps({"id": r["id"], "v": str(os.getpid())}))
            """)
        let first = try compute.compute(Self.batch(3))
        let second = try compute.compute(Self.batch(1000))
        #expect(first.rows == 3 && second.rows == 1000)
        #expect(first.text(row: 0, column: 0) == second.text(row: 999, column: 0))
    }

    @Test func aBatchLargerThanThePipesGoesThroughBothWays() throws {
        let wide = String(repeating: "y", count: 5000)
        let values = try Self.compute(Self.echo).compute(Self.batch(2000, value: wide))
        #expect(values.rows == 2000)
        #expect(values.text(row: 1999, column: 0) == wide.uppercased() + "1999")
    }

    @Test func aProgramThatForgetsToFlushDoesNotHang() throws {
        // print() of a Python whose standard output is a pipe is buffered, but for PYTHONUNBUFFERED.
        let values = try Self.compute(Self.echo).compute(Self.batch(2))
        #expect(values.text(row: 1, column: 0) == "X1")
    }

    @Test func theEnvironmentTellsWhatTheProgramMayWantToKnow() throws {
        let compute = Self.compute(
            """
            for line in sys.stdin:
                e = os.environ
                print(json.dumps({"id": json.loads(line)["id"], "v": "|".join([e["COORD_PROTOCOL"], e["COORD_KEY"],
                    e["COORD_COLUMNS"], e["COORD_WRITES"], e["COORD_BATCH_ROWS"], e["PYTHONUNBUFFERED"],
                    e["COORD_TABLE"], str(int(e["COORD_BATCH_BYTES"]) > 0)])}))
            """)
        let columns = #"[{"name":"id","type":"bigint"},{"name":"a","type":"text"}]"#
        #expect(
            try compute.compute(Self.batch(1)).text(row: 0, column: 0)
                == #"1|id|\#(columns)|[{"name":"v","type":"text"}]|10|1|public.t|True"#)
    }

    @Test(arguments: [
        ("sys.stderr.write('no licence\\n'); sys.exit(7)", ["exit status 7", "no licence"]),
        ("print('rubbish', flush=True); sys.stdin.read()", ["not a JSON object"]),
        ("print('{\"id\": 99, \"v\": 1}', flush=True); sys.stdin.read()", ["none that the program was given"]),
        ("sys.stdin.readline(); print('{\"id\": 1, \"v\": 1}', flush=True)", ["ended after 1 of 3"]),
        ("os.kill(os.getpid(), 9)", ["killed by signal 9"]),
    ])
    func aProgramThatFailsIsQuoted(program: String, words: [String]) {
        let error = #expect(throws: ComputeError.self) { try Self.compute(program).compute(Self.batch(3)) }
        for word in words { #expect(error?.description.contains(word) == true, "\(error?.description ?? "")") }
    }

    @Test func aProgramThatHangsIsEndedAtItsLimit() {
        let compute = Self.compute(
            "print('{\"id\": 1, \"v\": 1}', flush=True); time.sleep(60)", timeout: .milliseconds(500))
        let error = #expect(throws: ComputeError.self) { try compute.compute(Self.batch(3)) }
        #expect(error?.description.contains("answered 1 of 3 rows") == true)
    }

    @Test func aProgramThatDiedIsStartedAgainForTheNextBatch() throws {
        let compute = Self.compute(
            """
            for line in sys.stdin:
                r = json.loads(line)
                if r["a"].startswith("die"): sys.exit(3)
                print(json.dumps({"id": r["id"], "v": "alive"}))
            """)
        #expect(throws: ComputeError.self) { try compute.compute(Self.batch(2, value: "die")) }
        #expect(try compute.compute(Self.batch(2)).text(row: 1, column: 0) == "alive")
    }

    @Test func aCommandThatCannotBeStartedIsFoundWithoutStartingIt() {
        #expect(CommandCheck.fault(of: ["no-such-program"], in: "/") == "no-such-program is not in PATH")
        #expect(CommandCheck.fault(of: ["./nothing"], in: "/tmp")?.contains("No such file") == true)
        #expect(CommandCheck.fault(of: ["/etc/passwd"], in: "/")?.contains("Permission denied") == true)
        #expect(CommandCheck.fault(of: ["python3"], in: "/") == nil)
    }
}
