import Batches
import Testing

@testable import Preflight

@Suite struct PageSampleTests {
    /// Pages of 26 rows each, whose numbers have a pattern.
    private func pages(_ count: Int = 50, of number: (Int64) -> Int64) -> [[Int64]] {
        (0..<Int64(count)).map { page in (page * 26..<page * 26 + 26).map(number) }
    }

    /// One more stripe brings nothing as long as a page has two rows of some stripe.
    @Test func evenNumbersNeedHalfAsManyStripesAsAPageHasRows() throws {
        let sample = PageSample([.remainder: pages { $0 }])
        let choice = try #require(sample.best(of: 13...25))
        #expect(choice == PageSample.Choice(rule: .remainder, stripes: 13, moved: 2.0 / 26))
        #expect(sample.moved(.remainder, 26) == 1.0 / 26)
    }

    /// Every second number has half of the remainders by an even number of stripes, and all of them by an odd one.
    @Test func numbersInStepsGetAnotherNumberOfStripes() throws {
        let sample = PageSample([.remainder: pages { $0 * 2 }])
        #expect(sample.moved(.remainder, 14) == 4.0 / 26)
        #expect(try #require(sample.best(of: 12...26)).stripes == 13)
    }

    /// Gaps make a page's largest stripe about twice as large as its mean one. More stripes make it smaller.
    @Test func unevenNumbersGetMoreStripes() throws {
        var state: UInt64 = 1
        func random(_ bound: UInt64) -> Int64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int64((state >> 33) % bound)
        }
        let gaps = pages { $0 * 3 + random(3) }
        let sample = PageSample([.remainder: gaps, .hash: gaps.map { $0.map { _ in random(1 << 30) } }])
        let few = try #require(sample.moved(.remainder, 13))
        let choice = try #require(sample.best(of: 13...26))
        #expect(few > 0.14 && choice.moved < few - 0.03 && choice.stripes > 20)
    }

    @Test func negativeNumbersHaveStripesToo() throws {
        #expect(PageSample([.remainder: pages { -$0 }]).moved(.remainder, 13) == 2.0 / 26)
        #expect(PageSample([.remainder: [[Int64.min, Int64.max, 0]]]).moved(.remainder, 32) != nil)
    }

    @Test func withoutRowsThereIsNoChoice() {
        #expect(PageSample([:]).best(of: 4...8) == nil)
        #expect(PageSample([.hash: [[]]]).best(of: 4...8) == nil)
    }
}
