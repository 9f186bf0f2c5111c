import ArgumentParser
import Glibc
import Trust

struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Make, list and revoke the keys by which workers of other hosts join.",
        subcommands: [New.self, List.self, Show.self, Rotate.self, Revoke.self])

    /// A command about one key.
    struct Options: ParsableArguments {
        @OptionGroup var keys: KeysOptions
        @Flag(help: "Print JSON on standard output.") var json = false
        @Argument(help: "Name of the key: a worker's or a host's, or coordinator.") var name: String

        func validate() throws {
            guard KeyName(name) != nil else {
                throw ValidationError("\(name.visible): the name of a key is \(KeyName.rule)")
            }
        }

        func key() throws -> KeyName {
            guard let key = KeyName(name) else { throw UsageFault(description: "no name of a key: \(name.visible)") }
            return key
        }
    }

    /// Now, as files of keys have it.
    static var now: String { UTCTime.text(seconds: Double(time(nil))) ?? "" }

    struct New: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a key pair for a worker or a host, and allow it to join.")
        @OptionGroup var options: Options

        func run() throws {
            let (folder, name) = (try options.keys.folder(), try options.key())
            let key = try folder.make(name, created: KeysCommand.now)
            if name != .coordinator { try folder.makeCoordinator(created: KeysCommand.now) }
            if options.json {
                return JSONOutput.print(TrustedKeyObject(key, name == .coordinator ? .own : .allowed, hasSecret: true))
            }
            print("made \(name): \(key.publicKey)")
            guard name != .coordinator else { return }
            print(
                "it may join coordinators that use \(folder.path)\n"
                    + "copy \(name).key and coordinator.pub from there into the worker's own folder of keys")
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the keys that this host knows.")
        @OptionGroup var keys: KeysOptions
        @Flag(help: "Print JSON on standard output.") var json = false

        func run() throws {
            let entries = try keys.folder().list()
            if json {
                return JSONOutput.print(entries.map { TrustedKeyObject($0.key, $0.state, hasSecret: $0.hasSecret) })
            }
            let width = entries.map(\.key.name.text.count).max() ?? 0
            for entry in entries {
                let name = entry.key.name.text
                let gap = String(repeating: " ", count: width - name.count + 2)
                let state = entry.state.rawValue.padding(to: 8)
                print("\(name)\(gap)\(state)  \(entry.key.publicKey)  \(entry.key.created)")
            }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print a public key, as a file for another host. The secret is never printed.")
        @OptionGroup var options: Options

        func run() throws {
            let key = try options.keys.folder().show(options.key())
            if options.json { return JSONOutput.print(TrustedKeyObject(key, nil, hasSecret: nil)) }
            print(key.publicText, terminator: "")
        }
    }

    struct Rotate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make another key pair in the place of one, which stays allowed until it is revoked.")
        @OptionGroup var options: Options

        func run() throws {
            let (folder, name) = (try options.keys.folder(), try options.key())
            let key = try folder.rotate(name, created: KeysCommand.now)
            if options.json {
                return JSONOutput.print(TrustedKeyObject(key, name == .coordinator ? .own : .allowed, hasSecret: true))
            }
            print("made \(name): \(key.publicKey)")
            if name == .coordinator {
                print("coordinators that start from now on have it: copy coordinator.pub to each worker's host")
            } else {
                print(
                    "copy \(name).key to the worker's host, then   coord keys revoke \(name.old)   ends the one before")
            }
        }
    }

    struct Revoke: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a key join no more. Its workers are cut off within seconds.")
        @OptionGroup var options: Options

        func run() throws {
            let name = try options.key()
            let revoked = try options.keys.folder().revoke(name)
            if options.json {
                return JSONOutput.print(
                    Answer(
                        name: name.text, state: "revoked", changed: !revoked.isEmpty, revoked: revoked.map(\.text)))
            }
            if revoked.isEmpty { print("\(name) was revoked before") }
            for name in revoked { print("\(name) is revoked") }
        }

        private struct Answer: Encodable {
            var name: String
            var state: String
            var changed: Bool
            /// The names that were taken from the list: this one, the one before a rotation, and copies.
            var revoked: [String]
        }
    }
}

/// A key for programs.
private struct TrustedKeyObject: Encodable {
    var name: String
    var state: String?
    var publicKey: String
    var created: String
    var hasSecret: Bool?

    init(_ key: KeyFile, _ state: KeyEntry.State?, hasSecret: Bool?) {
        name = key.name.text
        self.state = state?.rawValue
        publicKey = "\(key.publicKey)"
        created = key.created
        self.hasSecret = hasSecret
    }
}

extension String {
    fileprivate func padding(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
