/// Checks for the preflight that a job's command can be started on this host.
public enum CommandCheck {
    /// - Returns: the reason why it cannot be started; nil when it can.
    public static func fault(of command: [String], in directory: String) -> String? {
        CommandProcess.fault(of: command, in: directory)
    }
}
