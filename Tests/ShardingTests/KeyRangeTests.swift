import Sharding
import Testing

/// A range of numbers; nil for an open end.
func range(_ after: Int?, _ through: Int?) -> KeyRange {
    KeyRange(after: after.map { Key(String($0)) }, through: through.map { Key(String($0)) })
}

@Suite struct KeyRangeTests {
    struct Tiling: Sendable, CustomTestStringConvertible {
        let name: String
        let ranges: [KeyRange]
        var whole: KeyRange = .everything
        let error: TilingError?

        var testDescription: String { name }
    }

    static let tilings = [
        Tiling(name: "one range for everything", ranges: [range(nil, nil)], error: nil),
        Tiling(name: "neighbours meet", ranges: [range(nil, 5), range(5, 9), range(9, nil)], error: nil),
        Tiling(
            name: "neighbours meet within given ends", ranges: [range(1, 5), range(5, 9)], whole: range(1, 9),
            error: nil),
        Tiling(name: "no ranges", ranges: [], error: .empty),
        Tiling(
            name: "the lower end is missing", ranges: [range(1, 5), range(5, nil)],
            error: .lowerEnd(found: range(1, 5))),
        Tiling(
            name: "the upper end is missing", ranges: [range(nil, 5), range(5, 9)],
            error: .upperEnd(found: range(5, 9))),
        Tiling(
            name: "the upper end goes beyond the whole", ranges: [range(1, nil)], whole: range(1, 9),
            error: .upperEnd(found: range(1, nil))),
        Tiling(
            name: "a gap", ranges: [range(nil, 5), range(6, nil)],
            error: .seam(index: 1, left: range(nil, 5), right: range(6, nil))),
        Tiling(
            name: "an overlap", ranges: [range(nil, 5), range(5, 9), range(8, nil)],
            error: .seam(index: 2, left: range(5, 9), right: range(8, nil))),
        Tiling(
            name: "an open end in the middle", ranges: [range(nil, nil), range(nil, nil)],
            error: .seam(index: 1, left: range(nil, nil), right: range(nil, nil))),
        Tiling(
            name: "out of order", ranges: [range(nil, 9), range(5, 9), range(5, nil)],
            error: .seam(index: 1, left: range(nil, 9), right: range(5, 9))),
        Tiling(
            name: "a range that can hold no key", ranges: [range(nil, 5), range(5, 5), range(5, nil)],
            error: .hollow(index: 1, range: range(5, 5))),
    ]

    @Test(arguments: tilings) func tilingIsCheckedAndTheFirstFaultNamed(tiling: Tiling) {
        var found: TilingError?
        do throws(TilingError) {
            try KeyRange.checkTiling(tiling.ranges, of: tiling.whole)
        } catch {
            found = error
        }
        #expect(found == tiling.error)
    }

    @Test(arguments: tilings.compactMap(\.error)) func everyTilingErrorNamesItsRanges(error: TilingError) {
        #expect(error == .empty || error.description.contains("("), "\(error)")
    }

    @Test(arguments: [range(nil, nil), range(1, 9), range(nil, 9), range(1, nil)])
    func splitPartsTileTheRange(whole: KeyRange) throws {
        let (left, right) = try #require(whole.split(at: Key("5")))
        #expect(left == KeyRange(after: whole.after, through: Key("5")))
        #expect(right == KeyRange(after: Key("5"), through: whole.through))
        try KeyRange.checkTiling([left, right], of: whole)
    }

    @Test(arguments: ["1", "9"]) func aSplitAtAnEndWouldLeaveAPartWithoutKeys(boundary: String) {
        #expect(range(1, 9).split(at: Key(boundary)) == nil)
    }

    @Test func openEndsAreShownAsInfinite() {
        #expect(range(nil, 5).description == "(-∞, 5]")
        #expect(range(5, nil).description == "(5, +∞]")
        #expect(Key(["a", "7"]).description == "(a, 7)")
    }
}
