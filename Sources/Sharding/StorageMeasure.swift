/// What has become of a table's storage, and who may be in the way of its reuse.
public struct StorageMeasure: Sendable, Equatable {
    public var change: StorageChange
    /// Who keeps old row versions for longest; nil where nobody is seen to.
    public var holder: String?

    public init(change: StorageChange, holder: String?) {
        self.change = change
        self.holder = holder
    }
}
