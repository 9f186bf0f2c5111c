/// A command that opens a connection to the ledger's database.
protocol OpensLedger {
    var common: CommonOptions { get }
}
