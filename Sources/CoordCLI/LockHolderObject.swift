import Ledger
import Sharding

/// A session that holds rows of a run's ledger locked.
struct LockHolderObject: Encodable {
    var pid: Nullable<Int32>
    var user: Nullable<String>
    var application: Nullable<String>
    var address: Nullable<String>
    var state: Nullable<String>
    var transactionSeconds: Nullable<Int64>
    var shards: [Int32]
    var holdsRun: Bool

    init(_ holder: LockHolder) {
        pid = Nullable(holder.pid)
        user = Nullable(holder.user)
        application = Nullable(holder.application)
        address = Nullable(holder.address)
        state = Nullable(holder.state)
        transactionSeconds = Nullable(holder.seconds)
        shards = holder.shards.map(\.rawValue)
        holdsRun = holder.holdsRun
    }
}
