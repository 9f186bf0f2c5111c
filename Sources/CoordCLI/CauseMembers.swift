import Sharding

/// A failure's cause as members of an object: each null where it is not known.
enum CauseMembers {
    static func of(_ cause: FailureCause) -> [String: JSONValue] {
        [
            "cause": .optional(cause.kind.map { .string(word(for: $0)) }),
            "sqlstate": .optional(cause.sqlState.map { .string($0) }),
            "key": .optional(cause.key.map { JSONValue($0) }), "column": .optional(cause.column.map { .string($0) }),
            "effect": .optional(cause.effect.map { .string(word(for: $0)) }),
        ]
    }

    static func word(for kind: FailureKind) -> String {
        switch kind {
        case .leaseLost: "lease_lost"
        case .fenced: "fenced"
        case .retryable: "retryable"
        case .held: "held"
        case .tooLong: "too_long"
        case .connectionLost: "connection_lost"
        case .program: "program"
        case .unfit: "unfit"
        case .permanent: "permanent"
        case .stopsRun: "stops_run"
        }
    }

    static func word(for effect: FailureCause.Effect) -> String {
        switch effect {
        case .nothingWritten: "nothing_written"
        case .rolledBack: "rolled_back"
        case .unknown: "unknown"
        }
    }
}
