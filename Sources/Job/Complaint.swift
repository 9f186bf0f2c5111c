/// What is wrong with one value, before it is known where the value stands.
struct Complaint: Error, Equatable {
    var message: String
    var mend: String?

    init(_ message: String, mend: String? = nil) {
        self.message = message
        self.mend = mend
    }
}
