import Sharding

extension JobParser {
    mutating func batch(_ field: Field?) -> BatchLimits {
        var batch = BatchLimits()
        let example = "batch: { rows: 1000, bytes: 4MiB }"
        guard let field, let fields = reader.fields(field, known: JobKeys.batch, example: example) else { return batch }
        if let rows = fields["rows"].flatMap({ reader.integer($0, BatchLimits.rowsRange, example: "rows: 1000") }) {
            batch.rows = rows
        }
        if let field = fields["bytes"] {
            let bytes = reader.value(field, wanted: "a number of bytes", example: "bytes: 4MiB") {
                text throws(Complaint) in
                try Quantity.bytes(text, in: BatchLimits.bytesRange, rangeText: "4KiB to 256MiB")
            }
            batch.bytes = bytes ?? batch.bytes
        }
        return batch
    }

    mutating func shards(_ field: Field?) -> ShardCount {
        guard let field else { return .auto }
        let example = "shards: auto (or shards: 64)"
        let shards = reader.value(field, wanted: "auto or a number", example: example) { text throws(Complaint) in
            if text == "auto" { return ShardCount.auto }
            guard text.first?.isLetter != true else {
                throw Complaint("\(text.shown) is neither auto nor a number", mend: "For example: \(example)")
            }
            return .count(try Quantity.integer(text, in: ShardCount.range))
        }
        return shards ?? .auto
    }

    mutating func retry(_ field: Field?) -> RetryPolicy {
        var retry = RetryPolicy()
        let example = "retry: { attempts: 5, backoff: 1s, max_backoff: 30s }"
        guard let field, let fields = reader.fields(field, known: JobKeys.retry, example: example) else { return retry }
        if let attempts = fields["attempts"].flatMap({
            reader.integer($0, RetryPolicy.attemptsRange, example: "attempts: 5")
        }) {
            retry.attempts = attempts
        }
        let backoff = fields["backoff"].map { duration($0, from: .milliseconds(1), "1ms", to: .seconds(3600), "1h") }
        let longest = fields["max_backoff"].map {
            duration($0, from: .milliseconds(1), "1ms", to: .seconds(86400), "24h")
        }
        // A refused value is not compared: the user would be told of one mistake twice.
        if case .some(.none) = backoff { return retry }
        if case .some(.none) = longest { return retry }
        retry.backoff = backoff.flatMap(\.self) ?? retry.backoff
        retry.maxBackoff = longest.flatMap(\.self) ?? retry.maxBackoff
        if retry.maxBackoff < retry.backoff, let place = fields["max_backoff"] ?? fields["backoff"] {
            let isDefault = fields["max_backoff"] == nil
            let complaint = Complaint(
                "max_backoff\(isDefault ? " (30s when not given)" : "") is shorter than backoff",
                mend: "Give a 'max_backoff' that is at least as long as 'backoff'.")
            reader.report(complaint, in: place)
        }
        return retry
    }

    mutating func order(_ field: Field) -> Order? {
        let example = "order: comb"
        return reader.value(field, wanted: "comb or key", example: example) { text throws(Complaint) in
            guard let order = Order(rawValue: text) else {
                throw Complaint("\(text.shown) is neither comb nor key", mend: "For example: \(example)")
            }
            return order
        }
    }

    mutating func inFlight(_ field: Field) -> Int? {
        let example = "in_flight: auto (or in_flight: 4)"
        return reader.value(field, wanted: "auto or a number", example: example) { text throws(Complaint) in
            if text == "auto" { return Int?.none }
            guard text.first?.isLetter != true else {
                throw Complaint("\(text.shown) is neither auto nor a number", mend: "For example: \(example)")
            }
            return try Quantity.integer(text, in: Job.inFlightRange)
        } ?? nil
    }

    mutating func timeZone(_ field: Field) -> String? {
        let example = "time_zone: Europe/Berlin"
        return reader.value(field, wanted: "a time zone", example: example) { text throws(Complaint) in
            guard (1...Job.maximumTimeZoneBytes).contains(text.utf8.count) else {
                throw Complaint("\(text.shown) is not a time zone", mend: "For example: \(example)")
            }
            return text
        }
    }

    mutating func database(_ field: Field) -> String? {
        guard let text = reader.text(field, example: "database: postgresql://app@db/app") else { return nil }
        if let reason = Job.checkConnection(text) {
            let complaint = Complaint(
                "\(reason); a job file is stored in the ledger and must hold no secret",
                mend: "Remove it, and put the password in ~/.pgpass or in a file that PGPASSFILE names.")
            reader.report(complaint, in: field)
            return nil
        }
        return text
    }

    mutating func ledgerSchema(_ field: Field) -> LedgerSchema? {
        reader.identifier(field, wanted: "a schema", example: "ledger_schema: ops") { parts throws(Complaint) in
            try Job.ledgerSchema(parts)
        }
    }

    mutating func duration(
        _ field: Field, from shortest: Duration, _ shortestText: String, to longest: Duration, _ longestText: String
    ) -> Duration? {
        reader.value(field, wanted: "a length of time", example: "1s (or 500ms, 2m, 1h)") { text throws(Complaint) in
            try Quantity.duration(text, in: shortest...longest, rangeText: "\(shortestText) to \(longestText)")
        }
    }
}
