/// Parameters of one execution, laid out as libpq wants them, in one buffer that is used again and again.
///
/// Text parameters are in PostgreSQL's text form. Arrays are in its binary form, which spares the server the parsing:
/// see `array_recv` in PostgreSQL's `arrayfuncs.c` for the layout.
public struct PostgresParameters: Sendable {
    struct Slot: Sendable {
        var offset: Int
        /// -1 for null.
        var length: Int
        var binary: Bool
    }

    @usableFromInline var storage: [UInt8] = []
    private(set) var slots: [Slot] = []
    private var arrayStart = 0
    @usableFromInline var arrayCount: Int32 = 0
    @usableFromInline var arrayHasNull = false

    public init() {}
    public init(_ texts: [String?]) {
        for text in texts { append(text) }
    }

    /// Bytes in use.
    public var bytes: Int { storage.count }

    /// The parameters as SQL literals, for a statement that is shown or run as text. Arrays have no such form here.
    package var literals: [String] {
        slots.map { slot in
            precondition(!slot.binary, "an array has no text")
            guard slot.length >= 0 else { return "NULL" }
            let quoted = storage[slot.offset..<slot.offset + slot.length].flatMap { $0 == 39 ? [$0, $0] : [$0] }
            return "'" + String(decoding: quoted, as: UTF8.self) + "'"
        }
    }

    public mutating func removeAll() {
        storage.removeAll(keepingCapacity: true)
        slots.removeAll(keepingCapacity: true)
    }

    public mutating func append(_ text: String?) {
        guard let text else {
            slots.append(Slot(offset: storage.count, length: -1, binary: false))
            return
        }
        let start = storage.count
        storage.append(contentsOf: text.utf8)
        slots.append(Slot(offset: start, length: storage.count - start, binary: false))
        storage.append(0)
    }

    public mutating func append(_ number: some BinaryInteger) { append(String(number)) }

    /// Opens an array parameter of the element type; elements follow, then `endArray`.
    public mutating func beginArray(elementType: UInt32) {
        arrayStart = storage.count
        arrayCount = 0
        arrayHasNull = false
        appendInteger(Int32(1))
        appendInteger(Int32(0))
        appendInteger(Int32(bitPattern: elementType))
        appendInteger(Int32(0))
        appendInteger(Int32(1))
    }

    @inlinable
    public mutating func appendNullElement() {
        arrayCount += 1
        arrayHasNull = true
        appendInteger(Int32(-1))
    }

    /// Appends an element in its type's binary form; a text's binary form is its characters.
    @inlinable
    public mutating func appendElement(_ bytes: UnsafeRawBufferPointer) {
        arrayCount += 1
        appendInteger(Int32(bytes.count))
        storage.append(contentsOf: bytes)
    }

    /// Appends an integer element in network byte order; `Value` must have the width of the element type.
    @inlinable
    public mutating func appendElement<Value: FixedWidthInteger>(_ value: Value) {
        arrayCount += 1
        let length = Int32(MemoryLayout<Value>.size).bigEndian
        // One append for length and value. Two halves of 4 bytes, since an 8-byte value would leave a gap in the tuple.
        if MemoryLayout<Value>.size == 8 {
            let bits = UInt64(truncatingIfNeeded: value)
            let parts = (UInt32(truncatingIfNeeded: bits >> 32).bigEndian, UInt32(truncatingIfNeeded: bits).bigEndian)
            withUnsafeBytes(of: (length, parts.0, parts.1)) { storage.append(contentsOf: $0) }
        } else {
            withUnsafeBytes(of: (length, value.bigEndian)) { storage.append(contentsOf: $0) }
        }
    }

    /// Appends an element of type tid.
    @inlinable
    public mutating func appendElement(block: UInt32, offset: UInt16) {
        arrayCount += 1
        withUnsafeBytes(of: (Int32(6).bigEndian, block.bigEndian, offset.bigEndian)) { storage.append(contentsOf: $0) }
    }

    public mutating func endArray() {
        patch(arrayHasNull ? 1 : 0, at: arrayStart + 4)
        patch(arrayCount, at: arrayStart + 12)
        slots.append(Slot(offset: arrayStart, length: storage.count - arrayStart, binary: true))
    }

    @inlinable
    mutating func appendInteger(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.bigEndian) { storage.append(contentsOf: $0) }
    }

    private mutating func patch(_ value: Int32, at offset: Int) {
        withUnsafeBytes(of: value.bigEndian) { bytes in
            for (index, byte) in bytes.enumerated() { storage[offset + index] = byte }
        }
    }

    /// Calls `body` with libpq's arrays of pointers, lengths and formats.
    func withLibPQ<R>(
        _ body: (Int32, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?, UnsafePointer<Int32>?) -> R
    ) -> R {
        storage.withUnsafeBytes { bytes in
            // An empty string in an empty buffer still needs an address.
            let base = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            let values = slots.map { slot in slot.length < 0 ? nil : base.map { $0 + slot.offset } }
            let lengths = slots.map { Int32(max($0.length, 0)) }
            let formats = slots.map { Int32($0.binary ? 1 : 0) }
            return body(Int32(slots.count), values, lengths, formats)
        }
    }
}
