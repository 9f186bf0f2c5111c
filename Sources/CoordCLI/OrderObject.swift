import Batches
import Preflight

/// In which order a run does its rows, and what is expected of it.
struct OrderObject: Encodable {
    var order: String
    var stripes: Nullable<Int>
    var rule: Nullable<String>
    var stretchRows: Nullable<Int>
    var batchRows: Nullable<Int>
    var reason: String
    var obstacles: [String]
    var hotShare: Double
    var heapGrowth: Double
    var indexGrowth: Double
    var walBytesPerRow: Int64

    init(_ choice: OrderChoice) {
        order = choice.comb == nil ? "key" : "comb"
        stripes = Nullable(choice.comb?.stripes)
        rule = Nullable(choice.comb?.rule.rawValue)
        stretchRows = Nullable(choice.comb?.stretchRows)
        batchRows = Nullable(choice.comb?.batchRows)
        reason = choice.reason
        obstacles = choice.obstacles
        func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }
        hotShare = rounded(choice.expected.hotShare)
        heapGrowth = rounded(choice.expected.heapGrowth)
        indexGrowth = rounded(choice.expected.indexGrowth)
        walBytesPerRow = choice.expected.walBytesPerRow
    }
}
