/// Whether workers write in turns that the coordinator grants, and why.
public enum TurnTaking: Equatable, Sendable {
    /// Each worker writes when it likes.
    case none
    /// Few at a time do more. It is a matter of speed alone, so a worker that gets no turn goes on after a while.
    case forSpeed
    /// Somebody has limited the run's pace. Without its turn, no worker writes.
    case forPace
}
