import Sharding
import Testing

@Suite struct StorageChangeTests {
    private let begin = StorageFigures(
        heapBytes: 1000, indexBytes: 500, updates: 10, hotUpdates: 4, walBytes: 1_000_000, rowsDone: 100)

    @Test func changeIsToldAgainstTheBegin() {
        let last = StorageFigures(
            heapBytes: 1100, indexBytes: 500, updates: 1010, hotUpdates: 904, walBytes: 1_500_000, rowsDone: 1100)
        let change = StorageChange(begin: begin, last: last)
        #expect(change.hotShare == 0.9 && change.heapGrowth == 1.1 && change.indexGrowth == 1)
        #expect(change.walBytesPerRow == 500)
    }

    private func figures(_ updates: Int64, _ hot: Int64, wal: Int64 = 0, rows: Int64 = 0) -> StorageFigures {
        StorageFigures(
            heapBytes: 1000, indexBytes: 500, updates: updates, hotUpdates: hot, walBytes: wal, rowsDone: rows)
    }

    /// A run that rests overnight has nothing to do with what others write meanwhile.
    @Test func timeBetweenTwoCoordinatorsIsNotCounted() {
        var change = StorageChange(begin: figures(0, 0), last: figures(0, 0))
        change = change.measured(figures(100, 90, wal: 5_000, rows: 100), isSameTerm: true)
        change = change.measured(figures(90_100, 90, wal: 9_000_000, rows: 100), isSameTerm: false)
        #expect(change.hotShare == 0.9 && change.walBytesPerRow == 50)
        change = change.measured(figures(90_200, 160, wal: 9_015_000, rows: 200), isSameTerm: true)
        #expect(change.hotShare == 0.8 && change.walBytesPerRow == 100)
        #expect(change.begin == figures(0, 0))
    }

    @Test func countersThatWereResetInBetweenAreNotCounted() {
        var change = StorageChange(begin: figures(1_000, 900), last: figures(1_000, 900))
        // More HOT updates than updates: the statistics were reset, and have passed the old number.
        change = change.measured(figures(1_100, 1_050), isSameTerm: true)
        #expect(change.hotShare == nil)
        change = change.measured(figures(50, 10, wal: 1, rows: 1), isSameTerm: true)
        #expect(change.hotShare == nil && change.walBytesPerRow == 1)
        change = change.measured(figures(150, 30), isSameTerm: true)
        #expect(change.hotShare == 0.2)
    }

    @Test func changeWithoutAnEventIsNone() {
        let change = StorageChange(begin: begin, last: begin)
        #expect(change.isNone)
        var larger = begin
        larger.heapBytes += 1
        #expect(!change.measured(larger, isSameTerm: false).isNone)
        #expect(!change.measured(figures(11, 4), isSameTerm: true).isNone)
    }

    @Test func whatCannotBeToldIsNil() {
        #expect(StorageChange(begin: begin, last: begin).hotShare == nil)
        #expect(StorageChange(begin: begin, last: begin).walBytesPerRow == nil)
        // Somebody has reset the statistics, and restored the server from an older WAL position.
        let less = StorageFigures(
            heapBytes: 0, indexBytes: 0, updates: 12, hotUpdates: 1, walBytes: 0, rowsDone: 200)
        #expect(StorageChange(begin: begin, last: less).hotShare == nil)
        #expect(StorageChange(begin: begin, last: less).walBytesPerRow == nil)
        #expect(StorageChange(begin: less, last: begin).heapGrowth == nil)
    }
}
