import ArgumentParser
import Foundation
import Testing

@testable import CoordCLI

/// coord accepts each command line in the documentation.
struct DocumentedCommandTests {
    struct Shown: Sendable, CustomTestStringConvertible {
        var page: String
        var line: String
        var testDescription: String { "\(page): \(line)" }
    }

    static let shown: [Shown] = {
        let top = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardized
        let files = FileManager.default.enumerator(at: top, includingPropertiesForKeys: nil, options: .skipsHiddenFiles)
        let pages = (files?.compactMap { $0 as? URL } ?? []).filter { $0.pathExtension == "md" }
        return pages.sorted { $0.path < $1.path }.flatMap { page -> [Shown] in
            let text = (try? String(contentsOf: page, encoding: .utf8)) ?? ""
            return text.split(separator: "\n").compactMap { line in
                // A block of commands is indented by four spaces. Messages that name a command are indented by more.
                guard let match = line.firstMatch(of: /^    (?:\$ )?coord (.*)$/) else { return nil }
                return Shown(page: page.lastPathComponent, line: String(match.1))
            }
        }
    }()

    @Test func pagesShowCommands() {
        #expect(
            Set(Self.shown.map(\.page)).isSuperset(of: ["README.md", "first-run.md", "start.md", "worker-hosts.md"]))
        #expect(Self.shown.count > 20)
    }

    @Test(arguments: shown)
    func coordTakesIt(shown: Shown) throws {
        // What follows two spaces, a hash or a pipe does not belong to the command.
        let command = shown.line.prefix(
            upTo: shown.line.firstRange(of: #/\s{2}|\s\||\##/#)?.lowerBound ?? shown.line.endIndex)
        let words = command.split(separator: " ").map { word in
            ["FILE": "job.yaml", "RUN": "2", "[RUN]": "2", "EP": "ipc:///run/coord/run", "NAME": "db1"][word]
                ?? String(word)
        }
        do {
            _ = try CoordCommand.parseAsRoot(words)
        } catch  where CoordCommand.exitCode(for: error) != .success {
            Issue.record("\(CoordCommand.fullMessage(for: error))")
        } catch {}
    }
}
