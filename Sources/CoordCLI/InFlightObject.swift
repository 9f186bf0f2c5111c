import Report

struct InFlightObject: Encodable {
    var limit: Int
    var writing: Int
    var waiting: Int

    init(_ inFlight: InFlight) {
        limit = inFlight.limit
        writing = inFlight.writing
        waiting = inFlight.waiting
    }
}
