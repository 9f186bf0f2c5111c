internal import Sharding

extension Coord_Wire_V1_Cause {
    /// Leaves out a member beyond the wire's bounds: the error's text says it too, and the report must arrive.
    init(_ cause: FailureCause) {
        self.init()
        kind = cause.kind.map { Kind($0) } ?? .unspecified
        if let state = cause.sqlState, FailureCause.isSQLState(state) { sqlstate = state }
        if let components = cause.key?.components, FailureCause.isKey(components) { key = components }
        if let name = cause.column, FailureCause.isColumn(name) { column = name }
        effect =
            switch cause.effect {
            case .nothingWritten: .nothingWritten
            case .rolledBack: .rolledBack
            case .unknown: .inDoubt
            case nil: .unspecified
            }
        holder = max(0, cause.holder ?? 0)
    }
}

extension FailureCause {
    /// - Parameter name: the name of the enclosing message, for the error's text.
    init(_ message: Coord_Wire_V1_Cause, in name: String) throws(WireError) {
        guard message.sqlstate.isEmpty || Self.isSQLState(message.sqlstate) else {
            throw WireError("\(name) with a SQLSTATE of \(message.sqlstate.utf8.count) bytes, which is none")
        }
        guard message.key.isEmpty || Self.isKey(message.key) else {
            throw WireError("\(name) with a key of \(message.key.count) columns, which is beyond the limits")
        }
        guard message.column.isEmpty || Self.isColumn(message.column) else {
            throw WireError("\(name) with a column's name of \(message.column.utf8.count) bytes")
        }
        self.init(
            kind: FailureKind(message.kind), sqlState: message.sqlstate.isEmpty ? nil : message.sqlstate,
            key: message.key.isEmpty ? nil : Key(message.key), column: message.column.isEmpty ? nil : message.column,
            effect: Effect(message.effect), holder: message.holder > 0 ? message.holder : nil)
    }

    fileprivate static func isSQLState(_ text: String) -> Bool {
        text.utf8.count == 5 && text.utf8.allSatisfy { (48...57).contains($0) || (65...90).contains($0) }
    }

    fileprivate static func isKey(_ components: [String]) -> Bool {
        (1...Key.columnLimit).contains(components.count)
            && components.reduce(0) { $0 + $1.utf8.count } <= ShardFailure.keyBytes
    }

    fileprivate static func isColumn(_ name: String) -> Bool {
        (1...ShardFailure.columnBytes).contains(name.utf8.count)
    }
}

extension FailureCause.Effect {
    /// Nil for a value that this build does not know.
    fileprivate init?(_ effect: Coord_Wire_V1_Cause.Effect) {
        switch effect {
        case .nothingWritten: self = .nothingWritten
        case .rolledBack: self = .rolledBack
        case .inDoubt: self = .unknown
        case .unspecified, .UNRECOGNIZED: return nil
        }
    }
}

extension Coord_Wire_V1_Cause.Kind {
    fileprivate init(_ kind: FailureKind) {
        self =
            switch kind {
            case .leaseLost: .leaseLost
            case .fenced: .fenced
            case .retryable: .retryable
            case .held: .held
            case .tooLong: .tooLong
            case .connectionLost: .connectionLost
            case .program: .program
            case .unfit: .unfit
            case .permanent: .permanent
            case .stopsRun: .stopsRun
            }
    }
}

extension FailureKind {
    /// Nil for a value that this build does not know.
    fileprivate init?(_ kind: Coord_Wire_V1_Cause.Kind) {
        switch kind {
        case .leaseLost: self = .leaseLost
        case .fenced: self = .fenced
        case .retryable: self = .retryable
        case .held: self = .held
        case .tooLong: self = .tooLong
        case .connectionLost: self = .connectionLost
        case .program: self = .program
        case .unfit: self = .unfit
        case .permanent: self = .permanent
        case .stopsRun: self = .stopsRun
        case .unspecified, .UNRECOGNIZED: return nil
        }
    }
}
