import CBuild
import Postgres
import ZeroMQ

/// What this program was built from.
enum Build {
    static let version = "0.1.0"

    /// For `--version`: with the commit where it is known, and the libraries that were loaded.
    static var description: String {
        let commit = commit(coord_build_commit()).map { " (\($0))" } ?? ""
        return "coord \(version)\(commit)\nlibpq \(LibPQ.version), libzmq \(LibZMQ.version)"
    }

    /// - Parameter number: as the linker gave it (see `CBuild`).
    /// - Returns: such as `12915a0`, with `-dirty` where there were changes beside; nil where nothing was given.
    static func commit(_ number: UInt64) -> String? {
        let (known, dirty) = (UInt64(1) << 29, UInt64(1) << 28)
        // Another linker than lld may have made another number of it.
        guard number & known != 0, number >> 30 == 0 else { return nil }
        let digits = String(number & (dirty - 1), radix: 16)
        return String(repeating: "0", count: 7 - digits.count) + digits + (number & dirty != 0 ? "-dirty" : "")
    }
}
