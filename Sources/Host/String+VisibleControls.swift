extension String {
    /// The text with its control characters escaped, so that a terminal shows them instead of obeying them. Tabs stay.
    ///
    /// Also escapes the C1 controls (U+0080 to U+009F) and Unicode's line separators and direction controls.
    package var withVisibleControls: String {
        guard unicodeScalars.contains(where: { $0.isControl }) else { return self }
        return unicodeScalars.reduce(into: "") { text, scalar in
            switch scalar {
            case _ where !scalar.isControl: text.unicodeScalars.append(scalar)
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            default: text += "\\u{\(String(scalar.value, radix: 16))}"
            }
        }
    }

    /// The first `limit` bytes of a text, on one line, with visible control characters.
    package init(excerpt bytes: UnsafeRawBufferPointer, limit: Int) {
        var end = Swift.min(bytes.count, limit)
        // Cut only between characters.
        if end < bytes.count { while end > 0, bytes[end] & 0xC0 == 0x80 { end -= 1 } }
        let text = String(decoding: bytes[..<end], as: UTF8.self).withVisibleControls
        self.init(end < bytes.count ? text + "…" : text)
    }
}

extension Unicode.Scalar {
    fileprivate var isControl: Bool {
        switch value {
        case 9: false
        case 0..<32, 0x7F...0x9F, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }
}
