import ArgumentParser
import Job

/// The names of coord's commands, for a word that is none.
enum CommandNames {
    /// What is wrong with the command that `arguments` name; nil where it is one, or the parser says it better.
    static func fault(of arguments: some Collection<String>) -> UsageFault? {
        var words = Array(arguments)[...]
        if words.first == "help" { words = words.dropFirst() }
        var level: any ParsableCommand.Type = CoordCommand.self
        var path = "coord"
        while let word = words.first, !word.hasPrefix("-"), !level.configuration.subcommands.isEmpty {
            let commands = level.configuration.subcommands
            if path == "coord", word == "help" { return nil }
            guard let next = commands.first(where: { name(of: $0) == word }) else {
                let shown = commands.filter { $0.configuration.shouldDisplay }.map { name(of: $0) }
                let near = nearestName(to: word, in: shown).map { "; did you mean \(path) \($0)?" } ?? ""
                return UsageFault(
                    description: "\(path) has no command '\(word.prefix(63).description.visible)'\(near)\n  "
                        + "its commands: \(shown.joined(separator: ", "))")
            }
            level = next
            path += " \(word)"
            words = words.dropFirst()
        }
        return nil
    }

    private static func name(of command: any ParsableCommand.Type) -> String {
        command.configuration.commandName ?? String(describing: command).lowercased()
    }
}
