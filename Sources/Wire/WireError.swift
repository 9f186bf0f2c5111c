/// A frame that cannot be understood, and why.
package struct WireError: Error, Equatable, CustomStringConvertible {
    package var description: String

    init(_ description: String) { self.description = description }
}
