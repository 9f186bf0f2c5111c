extension PostgresSession {
    public static func values(timeZone: String?) -> [String] {
        [
            "SET DateStyle = 'ISO'", "SET IntervalStyle = 'postgres'", "SET extra_float_digits = 3", "SET bytea_output = 'hex'",
            "SET lc_monetary = 'C'", "SET xmlbinary = 'base64'", "SET xmloption = 'content'",
        ]
    }
}
