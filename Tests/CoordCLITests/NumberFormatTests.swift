import Testing

@testable import CoordCLI

@Suite struct NumberFormatTests {
    @Test(
        arguments: [
            (0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567"), (-1234, "-1,234"), (-123, "-123"),
            (.max, "9,223,372,036,854,775,807"), (.min, "-9,223,372,036,854,775,808"),
        ] as [(Int64, String)])
    func grouped(number: Int64, text: String) { #expect(NumberFormat.grouped(number) == text) }

    @Test(
        arguments: [
            (0, "0 rows/s"), (0.04, "0 rows/s"), (0.4, "0.4 rows/s"), (9.94, "9.9 rows/s"), (9.96, "10 rows/s"),
            (152_310.4, "152,310 rows/s"), (-1, "0 rows/s"), (.infinity, "0 rows/s"), (.nan, "0 rows/s"),
        ] as [(Double, String)])
    func rate(rate: Double, text: String) { #expect(NumberFormat.rate(rate) == text) }

    @Test(
        arguments: [
            (-5, "0 B"), (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (14_889_779, "14.2 MiB"),
            (1_048_575, "1.0 MiB"), (1 << 30, "1.0 GiB"), (1 << 40, "1.0 TiB"), (.max, "8.0 EiB"),
        ] as [(Int64, String)])
    func bytes(bytes: Int64, text: String) { #expect(NumberFormat.bytes(bytes) == text) }

    @Test(
        arguments: [
            (-9, "0:00"), (0, "0:00"), (2.9, "0:02"), (59, "0:59"), (60, "1:00"), (3599, "59:59"), (3723, "1:02:03"),
            (86_399, "23:59:59"), (86_400, "1d 00:00"), (183_840, "2d 03:04"),
        ] as [(Double, String)])
    func duration(seconds: Double, text: String) { #expect(NumberFormat.duration(.seconds(seconds)) == text) }
}
