import ArgumentParser
import Glibc
import Trust

/// Where this host's keys are.
struct KeysOptions: ParsableArguments {
    @Option(name: .customLong("keys"), help: "Folder of keys. Default: $COORD_KEYS, ~/.config/coord/keys.")
    var path: String?

    static let variable = "COORD_KEYS"

    /// - Throws: `UsageFault` when nothing says where it is.
    func folder(environment: (String) -> String? = { name in getenv(name).map { String(cString: $0) } })
        throws(UsageFault) -> KeyFolder
    {
        func value(_ name: String) -> String? { environment(name).flatMap { $0.isEmpty ? nil : $0 } }
        if let path = path ?? value(Self.variable) { return KeyFolder(path) }
        if let config = value("XDG_CONFIG_HOME"), config.hasPrefix("/") { return KeyFolder("\(config)/coord/keys") }
        guard let home = value("HOME") else {
            throw UsageFault(
                description: "nothing says where the keys are\n  --keys DIR, or \(Self.variable), names their folder")
        }
        return KeyFolder("\(home)/.config/coord/keys")
    }

    func validate() throws {
        if path?.isEmpty == true { throw ValidationError("--keys: the name of a folder is missing") }
    }
}
