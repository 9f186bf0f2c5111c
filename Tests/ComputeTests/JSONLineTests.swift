import Batches
import Testing

@testable import Compute

struct JSONLineTests {
    static func encode(_ value: String?, _ scalar: JSONLine.Form.Scalar, quotesNumbers: Bool = false) -> String {
        encode(value, as: JSONLine.Form(scalar: scalar, delimiter: nil, quotesNumbers: quotesNumbers))
    }

    static func encode(_ value: String?, as form: JSONLine.Form) -> String {
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
        ("12", JSONLine.Form.Scalar.integer, "12"), ("-3.5e7", .float, "-3.5e7"), ("NaN", .numeric, "\"NaN\""),
        ("-Infinity", .float, "\"-Infinity\""), ("Infinity", .numeric, "\"Infinity\""), ("t", .boolean, "true"),
        ("f", .boolean, "false"), ("{\"a\":\n 1}", .json, "{\"a\":  1}"), ("", .string, "\"\""),
        ("a\u{2028}b\u{2029}\u{85}â\u{A0}\u{2027}", .text, "\"a\\u2028b\\u2029\\u0085â\u{A0}\u{2027}\""),
        ("{\"k\":\"\u{2028}\u{85}\"}", .json, "{\"k\":\"\\u2028\\u0085\"}"),
        ("a\"b\\c\n\t\r\u{1}é漢😀", .string, "\"a\\\"b\\\\c\\n\\t\\r\\u0001é漢😀\""),
    ])
    func valuesBecomeJSON(value: String, form: JSONLine.Form.Scalar, json: String) {
        #expect(Self.encode(value, form) == json)
    }

    @Test func nullIsNullInEveryForm() {
        for form in [JSONLine.Form.Scalar.numeric, .boolean, .json, .text] { #expect(Self.encode(nil, form) == "null") }
    }

    @Test func numbersThatMayExceedADoubleAreStringsWhereTheJobSaysSo() {
        #expect(Self.encode("9007199254740993", .bigint, quotesNumbers: true) == "\"9007199254740993\"")
        let forms = [20, 1700, 23, 701].map {
            JSONLine.Form.of(ValueType(base: $0, name: ""), quotesNumbers: true).quotesNumbers
        }
        #expect(forms == [true, true, false, false])
    }

    @Test func membersAreReadWithTheirKinds() throws {
        let line = #" {"id": 7, "s":"a\u00e9\n\ud83d\ude00\/", "n":null,"b":true, "o":{"x":[1,"}"]}, "a":[] } "#
        let members = try Self.scan(line)
        #expect(members["id"] == "number:7")
        #expect(members["s"] == "string:aé\n😀/")
        #expect(members["n"] == "null:null")
        #expect(members["b"] == "boolean:true")
        #expect(members["o"] == #"object:{"x":[1,"}"]}"#)
        #expect(members["a"] == "array:[]")
    }

    @Test func anEmptyObjectHasNoMembers() throws { #expect(try Self.scan("{}").isEmpty) }

    @Test(arguments: [
        "", "x", "[1]", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1", "{\"a\":1,}", "{\"a\":1} x", "{\"a\":nul}",
        "{\"a\":\"x}", "{\"a\":\"\\q\"}", "{\"a\":\"\\u12\"}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\\u0000\"}",
        "{\"a\":[1}", "{a:1}", "{\"a\":1 \"b\":2}", "{\"a\":1e}x",
        // Numbers.
        "{\"a\":-}", "{\"a\":+1}", "{\"a\":01}", "{\"a\":1.}", "{\"a\":.5}", "{\"a\":1e}", "{\"a\":1e+}", "{\"a\":0x1}",
        "{\"a\":1.5.5}", "{\"a\":1-2}", "{\"a\":NaN}", "{\"a\":Infinity}", "{\"a\":-Infinity}", "{\"a\":--1}",
        // Words.
        "{\"a\":True}", "{\"a\":truex}", "{\"a\":nullnull}", "{\"a\":undefined}", "{\"a\":'x'}",
        // Brackets.
        "{\"a\":1]", "{\"a\":[1,2]", "{\"a\":[1,2}}", "{\"a\":{\"b\":1]}", "{\"a\":[}", "{\"a\":[1 2]}", "{\"a\":[1,]}",
        "{\"a\":[,1]}", "{\"a\":{,}}", "{\"a\":{\"b\"}}", "{\"a\":{\"b\":}}", "{\"a\":{b:1}}", "{\"a\":{\"b\":1,}}",
        "{\"a\":{1:1}}", "{\"a\":[{]}}", "{\"a\":[01]}", "{\"a\":[-]}", "{\"a\":[nul]}", "{\"a\":[[[]}]}",
        // Strings, also nested ones.
        "{\"a\":\"\u{1}\"}", "{\"a\":\"x\ty\"}", "{\"a\":[\"\\q\"]}", "{\"a\":[\"\\u12g4\"]}", "{\"a\":{\"\\x\":1}}",
        "{\"a\":\"\\u+123\"}", "{\"a\":\"\\\"}", "{\"a\":[\"x]}", "{\"a\":[\"\u{1F}\"]}", "\u{FEFF}{}",
    ])
    func rubbishIsRefused(line: String) {
        #expect(throws: JSONLine.Fault.self) { try Self.scan(line) }
    }

    @Test(arguments: [
        "{\"a\":0}", "{\"a\":-0}", "{\"a\":-0.5e-10}", "{\"a\":1E+5}", "{\"a\":[]}", "{\"a\":{}}", "{\"a\":[[],{}]}",
        "{\"a\":[1,[2,{\"b\":[null,true]}],\"x\"]}", " { \"a\" : [ 1 , { } , [ ] ] } \r", "{\"a\":\"\\u00e9\\/\"}",
        "{\"a\":{\"b\":{\"c\":[]},\"d\":[{}]}}", "{\"a\":\"é漢😀\"}",
    ])
    func whatIsJSONIsRead(line: String) throws { #expect(try Self.scan(line).count == 1) }

    @Test(
        arguments: [[0xFF], [0xC3], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0x80]] as [[UInt8]])
    func whatIsNotUTF8IsRefusedWhereverItStands(bytes: [UInt8]) {
        for line in [#"{"a":"@"}"#, #"{"@":1}"#, #"{"a":["@"]}"#, #"{"long enough to be more than a word":"@","b":2}"#]
        {
            let parts = line.split(separator: "@").map { Array($0.utf8) }
            (parts[0] + bytes + parts[1]).withUnsafeBytes { line in
                var members = JSONLine.Members(line)
                #expect(throws: JSONLine.Fault(reason: "not UTF-8")) { while try members.next() != nil {} }
            }
        }
    }

    @Test func nestingIsFollowedToItsLimit() throws {
        func line(_ depth: Int) -> String {
            let open = (0..<depth).map { $0 % 2 == 0 ? "[" : "{\"k\":" }.joined()
            let close = (0..<depth).reversed().map { $0 % 2 == 0 ? "]" : "}" }.joined()
            return "{\"a\":\(open)1\(close)}"
        }
        #expect(try Self.scan(line(511)).count == 1)
        #expect(try Self.scan(line(512)).count == 1)
        #expect(throws: JSONLine.Fault.self) { try Self.scan(line(513)) }
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
