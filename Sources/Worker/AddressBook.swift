import ZeroMQ

/// The addresses of coordinators, tried in turn, and what speaks against each of them.
///
/// It is a value that does nothing itself. A name counts as two places, one by IPv6 and one by IPv4.
struct AddressBook {
    struct Place: Equatable {
        var endpoint: String
        var usesIPv6: Bool
        /// Of the address, among all.
        var address: Int
    }

    enum Advice: Equatable {
        /// What is under way goes on.
        case wait
        /// Connect to `place`, which is another one now.
        case move
        /// No address can be the right one.
        case giveUp(reason: String)
    }

    /// Handshakes in a row that a peer may break off before it counts as none of ours: one that starts, stops or has no room
    /// for connections hangs up too.
    static let hangUpLimit = 5
    /// Refusals in a row after which an address counts as one that does not allow the key: the first may come from a list that
    /// was read a moment before the key was allowed.
    static let refusalLimit = 2
    /// How long a place may be without a connection before the next is tried.
    static let patience = Duration.seconds(3)

    let addresses: [CoordinatorAddress]
    private let places: [Place]
    private var index = 0
    /// Broken handshakes in a row, of each address.
    private var hangUps: [Int]
    /// Refusals of the key in a row, of each address.
    private var refusals: [Int]
    /// Why an address cannot be the right one; nil while it may be.
    private var faults: [String?]

    /// - Parameter addresses: at least one.
    init(_ addresses: [CoordinatorAddress]) {
        precondition(!addresses.isEmpty, "a worker without a coordinator's address")
        self.addresses = addresses
        places = addresses.enumerated().flatMap { number, address in
            let place = Place(endpoint: address.endpoint, usesIPv6: address.isIPv6, address: number)
            guard address.isName else { return [place] }
            return [Place(endpoint: address.endpoint, usesIPv6: true, address: number), place]
        }
        hangUps = Array(repeating: 0, count: addresses.count)
        refusals = hangUps
        faults = Array(repeating: nil, count: addresses.count)
    }

    // MARK: - Events

    /// A handshake with the place has ended.
    mutating func ended(_ event: HandshakeEvent) -> Advice {
        let address = place.address
        switch event {
        case .succeeded:
            hangUps[address] = 0
            refusals[address] = 0
            faults[address] = nil
            return .wait
        case .keyRefused:
            refusals[address] += 1
            if refusals[address] >= Self.refusalLimit {
                faults[address] = "\(place.endpoint) does not allow this worker's key\(ownKey)"
            }
        case .mismatched, .hungUp:
            hangUps[address] += 1
            if hangUps[address] >= Self.hangUpLimit { faults[address] = strangeness }
            // libzmq tries a broken connection again, and ends one that has broken the protocol.
            if event == .hungUp, places.count == 1, !isHopeless { return .wait }
        }
        return isHopeless ? .giveUp(reason: reasons) : move()
    }

    /// The place has been without a connection for longer than `patience`, or the coordinator was silent there.
    @discardableResult
    mutating func unreachable() -> Advice { places.count > 1 ? move() : .wait }

    // MARK: - Queries

    var place: Place { places[index] }
    var keys: WorkerKeys? { addresses[place.address].keys }

    /// What speaks against the addresses, as far as it is known; empty where nothing does.
    var reasons: String { faults.compactMap { $0 }.joined(separator: "; ") }

    /// All of them.
    var names: String { addresses.map(\.endpoint).joined(separator: ", ") }

    /// Without keys nothing is proven against an address: it may have room for another connection later.
    private var isHopeless: Bool { zip(faults, addresses).allSatisfy { $0 != nil && $1.keys != nil } }

    private mutating func move() -> Advice {
        index = (index + 1) % places.count
        return .move
    }

    private var ownKey: String { keys.map { " \($0.own.publicKey)" } ?? "" }

    private var strangeness: String {
        keys == nil
            ? "\(place.endpoint) hangs up: it demands keys, which --keys DIR names"
            : "\(place.endpoint) hangs up: it has another key than coordinator.pub, demands none, or has no room for connections"
    }
}
