import Host
import Testing

@testable import Compute

struct ProgramNameTests {
    @Test(arguments: [
        ("python3 compute.py", "compute.py"), ("/usr/bin/python3.12 -u ./bin/compute.py x", "compute.py"),
        ("python3 -u -m pkg.mod a", "pkg.mod"), ("python3 -c print(1)", "python3"), ("python3 -W error a.py", "a.py"),
        ("python3 -Wignore a.py", "a.py"), ("python3 -", "python3"), ("python3", "python3"),
        ("jq -c .a", "jq"), ("/opt/bin/fill --fast x.txt", "fill"), ("./compute.sh", "compute.sh"),
        ("bash -c true", "bash"), ("bash -lc true", "bash"), ("bash -o pipefail run.sh", "run.sh"),
        ("sh run.sh", "run.sh"),
        ("node x.js", "x.js"), ("node --max-old-space-size=100 -r esm x.js", "x.js"), ("node -e 1", "node"),
        ("ruby -rjson a.rb", "a.rb"), ("perl -ne print", "perl"), ("perl -w a.pl", "a.pl"),
        ("java -Xmx1g -jar app.jar", "app.jar"), ("env A=b python3 x.py", "x.py"), ("stdbuf -oL awk -f x.awk", "x.awk"),
        ("nice -n 10 python3 x.py", "x.py"), ("mawk -W interactive {print}", "mawk"), ("env", "env"),
    ])
    func aCommandIsCalledByItsScript(command: String, name: String) {
        #expect(ProgramName.of(command.split(separator: " ").map(String.init)) == name)
    }

    @Test func controlCharactersBecomeVisible() {
        #expect(
            "a\u{1B}[2J\r\n\tb\u{7F}\u{9B}31mé\u{202E}".withVisibleControls
                == "a\\u{1b}[2J\\r\\n\tb\\u{7f}\\u{9b}31mé\\u{202e}")
        #expect("größe 漢😀".withVisibleControls == "größe 漢😀")
    }

    @Test func anExcerptEndsBeforeACharacterThatDoesNotFit() {
        func excerpt(_ text: String, _ limit: Int) -> String {
            Array(text.utf8).withUnsafeBytes { String(excerpt: $0, limit: limit) }
        }
        #expect(excerpt("abc", 3) == "abc")
        #expect(excerpt("abcd", 3) == "abc…")
        #expect(excerpt("aé漢", 5) == "aé…")
        #expect(excerpt("", 0) == "")
    }
}
