/// The answer to the HELLO of a worker that cannot work for this coordinator.
package struct Refusal: Equatable, Sendable {
    package var reason: String
    /// The remedy, for a person.
    package var mend: String

    package init(reason: String, mend: String) {
        self.reason = reason
        self.mend = mend
    }
}
