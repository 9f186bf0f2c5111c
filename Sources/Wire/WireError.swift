/// An unreadable frame, with the reason.
package struct WireError: Error, Equatable, CustomStringConvertible {
    package var description: String

    init(_ description: String) { self.description = description }
}
