import Postgres
import Support
import Testing

@Suite(.database) struct ParameterTests {
    private let connection: PostgresConnection
    init() throws { connection = try TestDatabase.current.connect() }

    @Test func nullsAndEmptyTextsArrive() throws {
        let result = try connection.execute(
            "SELECT $1::text IS NULL, $2::text = '', $3::text, $4::text IS NULL", [nil, "", "ä 😀 ' \" \\ \n", nil])
        #expect(result.bool(0, 0) == true)
        #expect(result.bool(0, 1) == true)
        #expect(result.text(0, 2) == "ä 😀 ' \" \\ \n")
        #expect(result.bool(0, 3) == true)
        #expect(try connection.execute("SELECT $1::text IS NULL", [nil]).bool(0, 0) == true)
        #expect(try connection.execute("SELECT $1::text = ''", [""]).bool(0, 0) == true)
    }

    @Test func parametersAreUsedAgainAfterRemoval() throws {
        var parameters = PostgresParameters(["a long text that fills the buffer", nil])
        parameters.removeAll()
        #expect(parameters.bytes == 0)
        parameters.append(Int64.min)
        parameters.append("x")
        let result = try connection.executePrepared("again", "SELECT $1::bigint, $2::text", parameters)
        #expect(result.int(0, 0) == Int64.min)
        #expect(result.text(0, 1) == "x")
    }

    /// An array type with its names for SQL and for `beginArray`, its elements, and the server's text of the array.
    struct ArrayCase: Sendable, CustomTestStringConvertible {
        let type: String
        let oid: UInt32
        let expected: String
        let append: @Sendable (inout PostgresParameters) -> Void
        var testDescription: String { type }
    }

    static let arrays: [ArrayCase] = [
        ArrayCase(type: "smallint", oid: 21, expected: "{-32768,NULL,32767}") {
            $0.appendElement(Int16.min)
            $0.appendNullElement()
            $0.appendElement(Int16.max)
        },
        ArrayCase(type: "integer", oid: 23, expected: "{-2147483648,NULL,7}") {
            $0.appendElement(Int32.min)
            $0.appendNullElement()
            $0.appendElement(Int32(7))
        },
        ArrayCase(type: "bigint", oid: 20, expected: "{NULL,9223372036854775807,-1}") {
            $0.appendNullElement()
            $0.appendElement(Int64.max)
            $0.appendElement(Int64(-1))
        },
        ArrayCase(type: "boolean", oid: 16, expected: "{t,f,NULL}") {
            $0.appendElement(UInt8(1))
            $0.appendElement(UInt8(0))
            $0.appendNullElement()
        },
        ArrayCase(type: "xid", oid: 28, expected: "{4294967295,3,NULL}") {
            $0.appendElement(UInt32.max)
            $0.appendElement(UInt32(3))
            $0.appendNullElement()
        },
        ArrayCase(type: "uuid", oid: 2950, expected: "{00010203-0405-0607-0809-0a0b0c0d0e0f,NULL}") {
            append(Array(0...15), to: &$0)
            $0.appendNullElement()
        },
        ArrayCase(type: "text", oid: 25, expected: #"{"","NULL",NULL,"a,b","{x}","ä\"\\n"}"#) {
            append([], to: &$0)
            append(Array("NULL".utf8), to: &$0)
            $0.appendNullElement()
            append(Array("a,b".utf8), to: &$0)
            append(Array("{x}".utf8), to: &$0)
            append(Array("ä\"\\n".utf8), to: &$0)
        },
    ]

    private static func append(_ bytes: [UInt8], to parameters: inout PostgresParameters) {
        bytes.withUnsafeBytes { parameters.appendElement($0) }
    }

    @Test(arguments: arrays) func binaryArraysOfEveryElementTypeKeepTheirNulls(_ array: ArrayCase) throws {
        var parameters = PostgresParameters()
        parameters.beginArray(elementType: array.oid)
        array.append(&parameters)
        parameters.endArray()
        let result = try connection.executePrepared("array", "SELECT $1::\(array.type)[]::text", parameters)
        #expect(result.text(0, 0) == array.expected)
    }

    @Test(arguments: arrays) func arraysWithoutElementsAndOfNullsAloneArrive(_ array: ArrayCase) throws {
        var parameters = PostgresParameters()
        parameters.beginArray(elementType: array.oid)
        parameters.endArray()
        parameters.beginArray(elementType: array.oid)
        parameters.appendNullElement()
        parameters.appendNullElement()
        parameters.endArray()
        let sql = "SELECT $1::\(array.type)[] = '{}', cardinality($1::\(array.type)[]), $2::\(array.type)[]::text"
        let result = try connection.executePrepared(
            "empty", sql.replacing("xid[] =", with: "xid[]::text ="), parameters)
        #expect(result.bool(0, 0) == true)
        #expect(result.int(0, 1) == 0)
        #expect(result.text(0, 2) == "{NULL,NULL}")
    }

    @Test func arraysAndTextsMixInOneExecution() throws {
        var parameters = PostgresParameters(["first", nil])
        parameters.beginArray(elementType: 20)
        for value in Int64(1)...1000 { parameters.appendElement(value) }
        parameters.endArray()
        parameters.append("")
        let sql = "SELECT $1::text, $2::text, (SELECT sum(i) FROM unnest($3::bigint[]) AS i), $4::text"
        let result = try connection.executePrepared("mixed", sql, parameters)
        #expect(result.text(0, 0) == "first")
        #expect(result.isNull(0, 1))
        #expect(result.int(0, 2) == 500_500)
        #expect(result.text(0, 3) == "")
    }

    @Test func preparedStatementIsMadeOnceForAConnection() throws {
        try connection.prepare("once", "SELECT 1")
        // The name stands for the first statement, whatever text comes with it later.
        #expect(try connection.executePrepared("once", "SELECT 2", PostgresParameters()).int(0, 0) == 1)
        #expect(try connection.execute("SELECT count(*) FROM pg_prepared_statements").int(0, 0) == 1)
    }

    @Test func statementThatCouldNotBePreparedMayBeTriedAgain() throws {
        #expect(try postgresError { try connection.prepare("late", "SELECT * FROM late") }.sqlState == "42P01")
        try connection.execute("CREATE TABLE late (i int)")
        try connection.prepare("late", "SELECT * FROM late")
        #expect(try connection.executePrepared("late", "", PostgresParameters()).rows == 0)
    }
}
