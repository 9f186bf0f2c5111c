import Sharding
import Testing

@testable import Batches

struct SetBasedLimitsTests {
    private static let usual = BatchLimits(rows: 1000, bytes: 4 << 20)

    @Test func usualRowsAreBoundedByTheirNumber() {
        let limits = SetBasedLimits(Self.usual, averageRow: 290, hasLongColumns: true, false)
        #expect(limits == SetBasedLimits(rows: 1000, bytes: nil))
    }

    @Test func averageRowBoundsTheNumber() {
        let limits = SetBasedLimits(
            BatchLimits(rows: 1000, bytes: 64 << 10), averageRow: 1024, hasLongColumns: false, false)
        #expect(limits == SetBasedLimits(rows: 64, bytes: nil))
    }

    @Test func rowsThatMayBeLongAreMeasured() {
        let limits = SetBasedLimits(Self.usual, averageRow: 290, hasLongColumns: true, true)
        #expect(limits == SetBasedLimits(rows: 1000, bytes: 4 << 20))
    }

    /// The job does not name the wide column, so only the table's average row shows it.
    @Test func averageRowBoundsTheNumberOfMeasuredRowsToo() {
        let limits = SetBasedLimits(
            BatchLimits(rows: 100_000, bytes: 4 << 20), averageRow: 2048, hasLongColumns: true, false)
        #expect(limits == SetBasedLimits(rows: 2048, bytes: 4 << 20))
    }

    @Test func numbersAreNotMeasured() {
        let limits = SetBasedLimits(Self.usual, averageRow: 290, hasLongColumns: false, true)
        #expect(limits == SetBasedLimits(rows: 1000, bytes: nil))
    }

    @Test func rowsOnPagesAreMeasuredWhereTheyCouldExceedTheBytesMoreThanTwice() {
        let narrow = SetBasedLimits(
            BatchLimits(rows: 1000, bytes: 3 << 20), averageRow: 290, hasLongColumns: true, false)
        #expect(narrow == SetBasedLimits(rows: 1000, bytes: 3 << 20))
        let unknown = SetBasedLimits(
            BatchLimits(rows: 5000, bytes: 4 << 20), averageRow: nil, hasLongColumns: true, false)
        #expect(unknown == SetBasedLimits(rows: 5000, bytes: 4 << 20))
    }
}
