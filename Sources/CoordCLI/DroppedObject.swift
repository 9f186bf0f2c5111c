/// Stands where objects would have stood for which there was no room.
struct DroppedObject: Encodable {
    var messageType = "dropped"
    var messages: Int
}
