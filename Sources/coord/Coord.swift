import CoordCLI

/// The program `coord`: the command line with the transforms that come with it.
@main
enum Coord {
    static func main() async { await CoordTool.main() }
}
