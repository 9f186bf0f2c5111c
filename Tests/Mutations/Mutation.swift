import Sharding

/// Bytes that are nearly right, from a seed: what a reader of untrusted bytes must take or refuse, and never end the process by.
public struct Mutation {
    private var generator: SeededGenerator
    private let seeds: [[UInt8]]
    /// Bytes that mean something to a reader.
    private static let telling: [UInt8] = [0, 1, 0x7F, 0x80, 0xFF] + Array("{}[]\"\\:,-&*!'\n\t #0e.".utf8)

    /// - Parameter seeds: right ones, which are changed and joined.
    public init(of seeds: [[UInt8]], seed: UInt64) {
        self.seeds = seeds
        generator = SeededGenerator(seed: seed)
    }

    public mutating func next() -> [UInt8] {
        var bytes = seeds.randomElement(using: &generator) ?? []
        for _ in 0..<Int.random(in: 1...6, using: &generator) { change(&bytes) }
        return bytes
    }

    private mutating func change(_ bytes: inout [UInt8]) {
        let place = Int.random(in: 0...bytes.count, using: &generator)
        let end = Int.random(in: place...bytes.count, using: &generator)
        switch Int.random(in: 0..<7, using: &generator) {
        case 0 where place < bytes.count: bytes[place] = UInt8.random(in: 0...255, using: &generator)
        case 1 where place < bytes.count: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 2: bytes.removeSubrange(place..<end)
        case 3: bytes.insert(contentsOf: bytes[place..<end], at: place)
        case 4:
            let other = seeds.randomElement(using: &generator) ?? []
            bytes.replaceSubrange(place..<end, with: other.suffix(Int.random(in: 0...other.count, using: &generator)))
        case 5: bytes.insert(Self.telling.randomElement(using: &generator) ?? 0, at: place)
        default:
            let many = Array(
                repeating: Self.telling.randomElement(using: &generator) ?? 0,
                count: Int.random(in: 1...300, using: &generator))
            bytes.insert(contentsOf: many, at: place)
        }
    }
}
