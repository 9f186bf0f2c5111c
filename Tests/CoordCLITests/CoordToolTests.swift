import Testing

@testable import CoordCLI

struct CoordToolTests {
    @Test func transformsThatJobFilesCanTellApartAreTaken() {
        #expect(CoordTool.fault(of: ["passthrough", "shout", "Half.price-2"]) == nil)
    }

    @Test func twoTransformsOfOneNameAreRefused() {
        #expect(
            CoordTool.fault(of: ["passthrough", "a", "passthrough"])?.contains("two transforms named passthrough")
                == true)
    }

    @Test(arguments: ["", "two words", "größe", String(repeating: "a", count: 64)])
    func namesThatNoJobFileCanHaveAreRefused(name: String) {
        #expect(
            CoordTool.fault(of: ["passthrough", name])
                == "no job file can name a transform \"\(name)\": its name must be 1 to 63 of letters, digits, '_', '.', '-'"
        )
    }
}
