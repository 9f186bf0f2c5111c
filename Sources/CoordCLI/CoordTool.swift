public import CoordKit
import Glibc
import Host
import Job

/// The whole of coord as a program of one's own, with transforms of one's own.
///
///     import CoordCLI
///     import CoordKit
///
///     @main
///     enum MyCoord {
///         static func main() async {
///             await CoordTool.main(transforms: [
///                 RowTransform("shout") { row, writer in writer.write(row["field1"]?.uppercased()) }
///             ])
///         }
///     }
///
/// It has all of coord's commands. `start` spawns workers from the same executable, and a worker on another host must be
/// the same program too. Its exit codes are coord's.
public enum CoordTool {
    /// The transforms of this program, for whatever its `main` runs.
    @TaskLocal static var transforms: [RowTransform] = [.passthrough]

    /// Runs the command that the process's arguments ask for, and ends the process unless it succeeds.
    ///
    /// Call it first thing: it may have to become another program.
    ///
    /// - Parameter transforms: what job files may name as `compute.transform`, beside `passthrough`. Two of one name, or
    ///   a name that no job file can have, end the process with status 2.
    public static func main(transforms: [RowTransform] = []) async {
        Leash.execIfAsked()
        // No process that this one starts may speak in its name.
        _ = ServiceManager.own
        Terminal.reserveStreams()
        // A peer that goes away is an error of the call, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        let all = [.passthrough] + transforms
        if let fault = fault(of: all.map(\.name)) { CoordCommand.fail(ComputeFault(description: fault)) }
        await $transforms.withValue(all) { await CoordCommand.runAsked() }
    }

    /// - Returns: why a program cannot have transforms of these names, or nil when it can.
    static func fault(of names: [String]) -> String? {
        for (index, name) in names.enumerated() {
            if names[..<index].contains(name) { return "this program has two transforms named \(name)" }
            guard Job.isTransformName(name) else {
                return "no job file can name a transform \"\(name)\": its name must be \(Job.transformNameRule)"
            }
        }
        return nil
    }
}
