import Testing

@testable import Worker

struct JSONLineTests {
    static func encode(_ value: String?, _ form: JSONLine.Form) -> String {
        var line: [UInt8] = []
        if var value {
            value.withUTF8 { JSONLine.append(UnsafeRawBufferPointer($0), as: form, to: &line) }
        } else {
            JSONLine.append(nil, as: form, to: &line)
        }
        return String(decoding: line, as: UTF8.self)
    }

    static func scan(_ text: String) throws -> [String: String] {
        var members: [String: String] = [:]
        try Array(text.utf8).withUnsafeBytes { bytes in
            var found = JSONLine.Members(bytes)
            while let (name, value) = try found.next() {
                var out: [UInt8] = []
                let raw = UnsafeRawBufferPointer(rebasing: bytes[value.range])
                if value.kind == .string { try JSONLine.unescape(raw, to: &out) } else { out.append(contentsOf: raw) }
                let label = String(decoding: bytes[name.range], as: UTF8.self)
                members[label] = "\(value.kind):" + String(decoding: out, as: UTF8.self)
            }
        }
        return members
    }

    @Test(arguments: [
        ("12", JSONLine.Form.number, "12"), ("-3.5e7", .number, "-3.5e7"), ("NaN", .number, "\"NaN\""),
        ("-Infinity", .number, "\"-Infinity\""), ("Infinity", .number, "\"Infinity\""), ("t", .boolean, "true"),
        ("f", .boolean, "false"), ("{\"a\":\n 1}", .json, "{\"a\":  1}"), ("", .string, "\"\""),
        ("a\"b\\c\n\t\r\u{1}é漢😀", .string, "\"a\\\"b\\\\c\\n\\t\\r\\u0001é漢😀\""),
    ])
    func valuesBecomeJSON(value: String, form: JSONLine.Form, json: String) {
        #expect(Self.encode(value, form) == json)
    }

    @Test func nullIsNullInEveryForm() {
        for form in [JSONLine.Form.number, .boolean, .json, .string] { #expect(Self.encode(nil, form) == "null") }
    }

    @Test func membersAreReadWithTheirKinds() throws {
        let line = #" {"id": 7, "s":"a\u00e9\n\ud83d\ude00\/", "n":null,"b":true, "o":{"x":[1,"}"]}, "a":[] } "#
        let members = try Self.scan(line)
        #expect(members["id"] == "bare:7")
        #expect(members["s"] == "string:aé\n😀/")
        #expect(members["n"] == "null:null")
        #expect(members["b"] == "bare:true")
        #expect(members["o"] == #"nested:{"x":[1,"}"]}"#)
        #expect(members["a"] == "nested:[]")
    }

    @Test func anEmptyObjectHasNoMembers() throws { #expect(try Self.scan("{}").isEmpty) }

    @Test(arguments: [
        "", "x", "[1]", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1", "{\"a\":1,}", "{\"a\":1} x", "{\"a\":nul}",
        "{\"a\":\"x}", "{\"a\":\"\\q\"}", "{\"a\":\"\\u12\"}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\\u0000\"}",
        "{\"a\":[1}", "{a:1}", "{\"a\":1 \"b\":2}", "{\"a\":1e}x",
    ])
    func rubbishIsRefused(line: String) {
        #expect(throws: JSONLine.Fault.self) { try Self.scan(line) }
    }

    @Test func deepNestingIsRefusedInsteadOfFollowed() {
        let deep = "{\"a\":" + String(repeating: "[", count: 100_000)
        #expect(throws: JSONLine.Fault.self) { try Self.scan(deep) }
    }

    @Test func everyPrefixOfALineIsReadOrRefusedWithoutATrap() {
        let line = #"{"id":-12.5e3,"s":"\u00e9\"","o":{"k":[true,null]}}"#
        for count in 0...line.utf8.count {
            let prefix = String(decoding: line.utf8.prefix(count), as: UTF8.self)
            if count == line.utf8.count {
                #expect(throws: Never.self) { try Self.scan(prefix) }
            } else {
                #expect(throws: JSONLine.Fault.self) { try Self.scan(prefix) }
            }
        }
    }
}
