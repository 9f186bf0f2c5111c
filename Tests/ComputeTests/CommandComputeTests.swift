import Batches
import CoordKit
import Foundation
import Glibc
import Sharding
import Testing

@testable import Compute

/// Real programs, fed through real pipes.
struct CommandComputeTests {
    static let id = Target.Column(
        name: "id", quoted: "id", type: 20, typeName: "bigint", value: ValueType(base: 20, name: "pg_catalog.int8"))
    static let text = Target.Column(
        name: "a", quoted: "a", type: 25, typeName: "text", value: ValueType(base: 25, name: "pg_catalog.text"))
    static let written = Target.Column(
        name: "v", quoted: "v", type: 25, typeName: "text", value: ValueType(base: 25, name: "pg_catalog.text"))

    static func compute(
        _ program: String, timeout: Duration = .seconds(10), read: [Target.Column] = [text],
        writes: [Target.Column] = [written], batchBytes: Int = 4 << 20, applicationName: String? = nil
    ) -> CommandCompute {
        let target = Target(
            oid: 1, table: "public.t", alias: "t", key: KeySchema(id, .bigint), predicate: nil,
            change: .compute(read: read, writes: writes))
        return CommandCompute(
            command: ["python3", "-c", "import sys, json, os, time\n" + program], directory: "/", timeout: timeout,
            target: target, read: read, writes: writes, batchRows: 10, batchBytes: batchBytes,
            applicationName: applicationName)
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

    /// Both samples in Config compute the same values in different ways. Texts of 5,000 characters do not fit into the
    /// pipes.
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
            oid: 1, table: "public.t", alias: "t", key: KeySchema(Self.id, .bigint), predicate: nil,
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
        // Python buffers print() to a pipe. The environment variable PYTHONUNBUFFERED switches that off.
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
                    e["COORD_TABLE"], str(int(e["COORD_BATCH_BYTES"]) > 0), e["PYTHONUTF8"], e["PGAPPNAME"]])}))
            """, applicationName: "coord program run 7")
        let columns = #"[{"name":"id","type":"bigint"},{"name":"a","type":"text"}]"#
        #expect(
            try compute.compute(Self.batch(1)).text(row: 0, column: 0)
                == #"1|id|\#(columns)|[{"name":"v","type":"text"}]|10|1|public.t|True|1|coord program run 7"#)
    }

    @Test(arguments: [
        ("sys.stderr.write('no licence\\n'); sys.exit(7)", ["exit status 7", "no licence"]),
        ("print('rubbish', flush=True); sys.stdin.read()", ["not a JSON object"]),
        ("print('{\"id\": 99, \"v\": 1}', flush=True); sys.stdin.read()", ["none that the program was given"]),
        (
            "sys.stdin.readline(); print('{\"id\": 1, \"v\": 1}', flush=True)",
            ["ended after 1 of 3 answers, the first row without one is key 2"]
        ),
        ("os.kill(os.getpid(), 9)", ["killed by signal 9"]),
    ])
    func aProgramThatFailsIsQuoted(program: String, words: [String]) {
        let error = #expect(throws: ComputeError.self) { try Self.compute(program).compute(Self.batch(3)) }
        for word in words { #expect(error?.description.contains(word) == true, "\(error?.description ?? "")") }
    }

    @Test func aProgramThatHangsIsEndedAtItsLimit() {
        let compute = Self.compute(
            "print('{\"id\": 1, \"v\": 1}', flush=True); time.sleep(60)", timeout: .seconds(3))
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

    // MARK: - Errors

    /// An error that occurs twice at the same row has the same reason and key, so that no worker tries a third time.
    @Test(
        arguments: [
            ("if r['a'] == 'x1': r['v'] = [1]", "2", "v"), ("if r['a'] == 'x1': del r['v']", "2", "v"),
            ("if r['a'] == 'x1': sys.stderr.write(str(os.getpid())); sys.exit(4)", "2", nil),
            ("if r['a'] == 'x1': os.kill(os.getpid(), 9)", nil, nil),
            ("if r['a'] == 'x0': sys.exit(4)", nil, nil),
        ] as [(String, String?, String?)])
    func anErrorOfARowIsTheSameAgain(deed: String, key: String?, column: String?) {
        let compute = Self.compute(
            """
            for line in sys.stdin:
                r = json.loads(line)
                r["v"] = 1
                \(deed)
                print(json.dumps(r))
            """)
        let errors = (0..<2).map { _ in
            #expect(throws: ComputeError.self) { try compute.compute(Self.batch(3)) }
        }
        #expect(errors[0]?.key == key.map { Key($0) }, "\(errors[0]?.description ?? "")")
        #expect(errors[0]?.column == column)
        #expect(errors[0]?.reason == errors[1]?.reason)
        #expect(errors[0]?.key == errors[1]?.key)
    }

    @Test func anErrorTellsWhetherAProgramHasEverAnswered() throws {
        let compute = Self.compute(
            """
            for line in sys.stdin:
                r = json.loads(line)
                if r["a"].startswith("die"): sys.exit(3)
                print(json.dumps({"id": r["id"], "v": "alive"}))
            """)
        let first = #expect(throws: ComputeError.self) { try compute.compute(Self.batch(2, value: "die")) }
        #expect(first?.beforeFirstAnswer == true)
        _ = try compute.compute(Self.batch(2))
        let later = #expect(throws: ComputeError.self) { try compute.compute(Self.batch(2, value: "die")) }
        #expect(later?.beforeFirstAnswer == false)
    }

    @Test func anAnswerAtFaultIsQuotedCutAndWithoutControlCharacters() {
        let compute = Self.compute(
            """
            sys.stdin.readline()
            sys.stderr.write("\\x1b[31mred\\x07\\n"); sys.stderr.flush()
            print(json.dumps({"id": 1, "v": [1], "x": "\\x7f" + "ä" * 300}, ensure_ascii=False))
            sys.stdin.read()
            """)
        let error = #expect(throws: ComputeError.self) { try compute.compute(Self.batch(3)) }
        let text = error?.description ?? ""
        let head = "python3: an answer cannot be used: key 1: column v of type text: the answer is an array"
        #expect(text.hasPrefix(head), "\(text)")
        #expect(text.contains(#"it is {"id": 1, "v": [1], "x": "\u{7f}ää"#), "\(text)")
        #expect(text.contains("ä…"))
        #expect(text.utf8.count < 700)
        #expect(text.contains(#"\u{1b}[31mred\u{7}"#))
        #expect(!text.contains("still runs"))
    }

    @Test func anAnswerThatIsTheDoubleOfANumberSentIsRefused() throws {
        let big = Target.Column(
            name: "big", quoted: "big", type: 1700, typeName: "numeric",
            value: ValueType(base: 1700, name: "pg_catalog.numeric"))
        func run(_ loads: String, _ dumps: String) throws -> String? {
            var batch = RowBatch(columns: 4)
            for value in ["1", "700", "(0,1)", "123456789012345678.0000000001"] { batch.append(value) }
            let compute = Self.compute(
                """
                from decimal import Decimal
                for line in sys.stdin:
                    r = json.loads(line\(loads))
                    print(json.dumps({"id": r["id"], "big": r["big"]}\(dumps)))
                """, read: [big], writes: [big])
            return try compute.compute(batch).text(row: 0, column: 0)
        }
        let error = #expect(throws: ComputeError.self) { try run("", "") }
        #expect(error?.key == Key("1"))
        #expect(error?.column == "big")
        #expect(error?.description.contains("1.2345678901234568e+17 is the double nearest to") == true)
        #expect(error?.description.contains("numbers: strings") == true)
        #expect(try run(", parse_float=Decimal", ", default=str") == "123456789012345678.0000000001")
    }

    @Test func answersMayBeAsLongAsTheirNamesAndNullsMakeThem() throws {
        let columns = (0..<60).map {
            Target.Column(
                name: "a_rather_long_name_of_a_column_\($0)", quoted: "", type: 25, typeName: "text",
                value: ValueType(base: 25, name: "pg_catalog.text"))
        }
        let compute = Self.compute(
            """
            for line in sys.stdin:
                print(json.dumps(json.loads(line)))
            """, read: columns, writes: columns, batchBytes: 4096)
        var batch = RowBatch(columns: 63)
        for row in 0..<1000 {
            for value in ["\(row)", "700", "(0,1)"] { batch.append(value) }
            for _ in columns { batch.append(nil as String?) }
        }
        #expect(try compute.compute(batch).rows == 1000)
    }

    // MARK: - What a program leaves

    private static var descriptors: Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? -1
    }

    /// Other tests open descriptors at the same time, but fewer than 60 that stay open.
    @Test func programsThatDieByThemselvesLeaveNoDescriptors() {
        let before = Self.descriptors
        for _ in 0..<40 {
            #expect(throws: ComputeError.self) { try Self.compute("sys.exit(3)").compute(Self.batch(1)) }
        }
        #expect(Self.descriptors < before + 60)
    }

    @Test func columnsTooManyForAVariableAreInAFileThatGoesWithTheProgram() throws {
        let columns = (0..<1500).map {
            Target.Column(
                name: "c\($0)_" + String(repeating: "x", count: 55), quoted: "", type: 1700,
                typeName: "numeric(40,10)", value: ValueType(base: 1700, name: "pg_catalog.numeric"))
        }
        var compute: CommandCompute? = Self.compute(
            """
            path = os.environ["COORD_COLUMNS_FILE"]
            names = [c["name"] for c in json.load(open(path))]
            told = [len(names), oct(os.stat(path).st_mode)[-3:], "COORD_COLUMNS" in os.environ, path]
            for line in sys.stdin:
                print(json.dumps({"id": json.loads(line)["id"], "v": json.dumps(told)}))
            """, read: columns)
        var batch = RowBatch(columns: 1503)
        for value in ["1", "700", "(0,1)"] { batch.append(value) }
        for _ in columns { batch.append("1.5") }
        let told = try #require(try compute?.compute(batch).text(row: 0, column: 0))
        #expect(told.hasPrefix(#"[1501, "600", false, "#))
        let path = String(told.split(separator: "\"").last { $0.hasPrefix("/") } ?? "")
        #expect(access(path, F_OK) == 0, "\(told)")
        compute = nil
        #expect(access(path, F_OK) != 0)
    }

    @Test func theProgramsMemoryIsKnownWhileItRuns() throws {
        let compute = Self.compute(
            """
            keep = bytearray(64 << 20)
            keep[::4096] = b"x" * len(keep[::4096])
            for line in sys.stdin:
                r = json.loads(line)
                if r["a"].startswith("die"): sys.exit(3)
                print(json.dumps({"id": r["id"], "v": 1}))
            """)
        #expect(compute.programRSSBytes == 0)
        _ = try compute.compute(Self.batch(1))
        #expect(compute.programRSSBytes > 64 << 20)
        #expect(throws: ComputeError.self) { try compute.compute(Self.batch(1, value: "die")) }
        #expect(compute.programRSSBytes == 0)
    }

    @Test func aCommandThatCannotBeStartedIsFoundWithoutStartingIt() {
        #expect(CommandCheck.fault(of: ["no-such-program"], in: "/") == "no-such-program is not in PATH")
        #expect(CommandCheck.fault(of: ["./nothing"], in: "/tmp")?.contains("No such file") == true)
        #expect(CommandCheck.fault(of: ["/etc/passwd"], in: "/")?.contains("Permission denied") == true)
        #expect(CommandCheck.fault(of: ["python3"], in: "/") == nil)
    }
}
