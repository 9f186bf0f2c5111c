/// The question whether a job's command can be started here, for the preflight.
public enum CommandCheck {
    /// - Returns: why not, or nil when it can.
    public static func fault(of command: [String], in directory: String) -> String? {
        CommandProcess.fault(of: command, in: directory)
    }
}
