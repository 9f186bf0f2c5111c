import CoordCLI
import CoordKit

/// A custom program: coord with two transforms, as a user of the library would write them.
@main
enum OwnTransforms {
    static let shout = RowTransform("shout") { row, writer in
        writer.write(row["name"]?.uppercased())
    }

    struct OddPrice: Error {
        var price: Int
    }

    static let half = RowTransform("half") { row, writer in
        let price = row["price"].flatMap { Int($0) } ?? 0
        guard price.isMultiple(of: 2) else { throw OddPrice(price: price) }
        writer.write(price / 2)
    }

    static func main() async { await CoordTool.main(transforms: [shout, half]) }
}
