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
