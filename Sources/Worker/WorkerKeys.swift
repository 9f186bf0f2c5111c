import ZeroMQ

/// The keys of a worker: its own, by which the coordinator knows it, and the coordinator's, without which it says nothing.
package struct WorkerKeys: Sendable {
    var own: CurveKeyPair
    var coordinator: CurvePublicKey

    package init(own: CurveKeyPair, coordinator: CurvePublicKey) {
        self.own = own
        self.coordinator = coordinator
    }
}
