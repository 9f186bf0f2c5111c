/// The safety mechanisms. A negative control switches one off and must then see a violation.
struct SafetyMechanisms: OptionSet, Sendable {
    let rawValue: Int
    /// A batch is refused unless the shard has its epoch, owner and sequence.
    static let fence = SafetyMechanisms(rawValue: 1)
    /// The checkpoint moves in the batch's own transaction.
    static let checkpoint = SafetyMechanisms(rawValue: 2)
    /// A row that changed since it was read is left alone.
    static let compare = SafetyMechanisms(rawValue: 4)
    /// The coordinator asks the ledger and does not trust reports and its own memory.
    static let ledgerDecides = SafetyMechanisms(rawValue: 8)
    /// The ledger keeps the end of the stretch under way.
    static let stretch = SafetyMechanisms(rawValue: 16)
    static let all: SafetyMechanisms = [.fence, .checkpoint, .compare, .ledgerDecides, .stretch]
}
