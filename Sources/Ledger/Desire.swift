/// What people want of a run: its coordinator obeys, and no other takes the run over against it.
enum Desire: String, CaseIterable, LedgerValue {
    case running
    /// Until somebody resumes it by its number.
    case paused
    /// For good. A coord with a ledger before version 3 asks the coordinator for it; later ones end the run themselves.
    case cancelled

    /// Who asked that the run `r` be paused; null where nobody did.
    static let pausedBy = "CASE WHEN desired = 'paused' THEN COALESCE(desired_by, 'somebody') END AS paused_by"
}
