/// Why a command did nothing.
struct ErrorObject: Encodable {
    var messageType = "error"
    var error: String
    var exitCode: Int32
    /// Sessions in the way of a cancel; left out elsewhere.
    var holders: [LockHolderObject]?
}
