/// A fault of one value, without the value's place in the file.
struct Complaint: Error, Equatable {
    var message: String
    var mend: String?

    init(_ message: String, mend: String? = nil) {
        self.message = message
        self.mend = mend
    }
}
