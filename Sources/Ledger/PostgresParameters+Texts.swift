import Postgres

extension PostgresParameters {
    /// Appends an array of texts, some of which may be null.
    mutating func append(texts: [String?]) {
        beginArray(elementType: ElementType.text.rawValue)
        for text in texts {
            guard var text else {
                appendNullElement()
                continue
            }
            text.withUTF8 { appendElement(UnsafeRawBufferPointer($0)) }
        }
        endArray()
    }
}
