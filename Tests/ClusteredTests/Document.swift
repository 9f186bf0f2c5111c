import Foundation

/// The commands and files in a page of the documentation, so that tests can do what a reader would do.
struct Document {
    enum Step: Equatable {
        /// Lines for a shell, without their indentation.
        case commands(String)
        /// A fenced block with its language, its text, and the last name in backticks before it.
        case block(language: String, text: String, name: String?)
    }

    let steps: [Step]

    /// - Parameter page: the path from the top of the checkout, such as `docs/testing.md`.
    init(_ page: String) throws {
        let text = try String(contentsOfFile: "\(TestServer.sources)/../../\(page)", encoding: .utf8)
        var steps: [Step] = []
        var commands: [Substring] = []
        var fenced: (language: String, lines: [Substring])?
        var name: String?
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if let block = fenced {
                guard line.hasPrefix("```") else {
                    fenced?.lines.append(line)
                    continue
                }
                let text = block.lines.joined(separator: "\n") + "\n"
                steps.append(.block(language: block.language, text: text, name: name))
                fenced = nil
            } else if line.hasPrefix("    ") {
                commands.append(line.dropFirst(4))
                continue
            } else if line.hasPrefix("```") {
                fenced = (String(line.dropFirst(3)), [])
            } else if let last = line.split(separator: "`", omittingEmptySubsequences: false).dropLast().last {
                name = String(last)
            }
            if !commands.isEmpty { steps.append(.commands(commands.joined(separator: "\n"))) }
            commands = []
        }
        self.steps = steps
    }
}
