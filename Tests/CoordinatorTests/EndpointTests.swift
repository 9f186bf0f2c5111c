import Testing

@testable import Coordinator

struct EndpointTests {
    @Test(arguments: [
        "ipc:///tmp/x", "tcp://127.0.0.1:5555", "tcp://127.9.9.9:*", "tcp://[::1]:7000",
    ])
    func endpointsOfThisHostAreTakenWithoutKeys(endpoint: String) { #expect(Endpoint.isLocal(endpoint)) }

    @Test(arguments: [
        "tcp://*:5555", "tcp://0.0.0.0:5555", "tcp://10.0.0.1:5555", "tcp://[::]:1", "tcp://127.evil.example:1",
        "tcp://localhost.example:1", "tcp://eth0:5555", "tcp://127.0.0.1", "pgm://127.0.0.1:1", "", "127.0.0.1:5",
        "tcp://127.0.0.1.example:1",
        // A name leads where somebody else says.
        "tcp://localhost:1",
    ])
    func endpointsThatOtherHostsCouldReachDemandKeys(endpoint: String) {
        #expect(!Endpoint.isLocal(endpoint))
        #expect(throws: CoordinatorError.openEndpoint(endpoint)) { try Endpoint.check(endpoint) }
    }

    @Test(arguments: [
        "tcp://*:*", "tcp://0.0.0.0:*", "tcp://[::]:0", "tcp://localhost:*", "tcp://[::1]:*", "tcp://lo:*",
    ])
    func anyEndpointOfThisHostIsTakenWithKeys(endpoint: String) {
        #expect(throws: Never.self) { try Endpoint.check(endpoint, demandsKeys: true) }
    }

    @Test func endpointThatIsNoneOfThisHostsIsRefusedWithKeysToo() {
        for endpoint in ["tcp://no-such-host.invalid:*", "tcp://localhost:99999", "tcp://192.0.2.1:7717"] {
            #expect(throws: CoordinatorError.self, "\(endpoint)") { try Endpoint.check(endpoint, demandsKeys: true) }
        }
        #expect(throws: CoordinatorError.keyedFile("ipc:///tmp/x")) {
            try Endpoint.check("ipc:///tmp/x", demandsKeys: true)
        }
    }

    @Test func nameIsListenedOnAtItsAddresses() {
        let addresses = TCPAddress("tcp://localhost:7")?.resolved().map(\.endpoint) ?? []
        #expect(addresses.contains("tcp://127.0.0.1:7") || addresses.contains("tcp://[::1]:7"), "\(addresses)")
        for endpoint in ["tcp://*:7", "tcp://[::1]:7", "tcp://127.0.0.1:7", "tcp://lo:7"] {
            #expect(TCPAddress(endpoint)?.resolved().map(\.endpoint) == [endpoint])
        }
    }

    @Test func otherHostsAreToldThisHostsNameWhereAllItsAddressesAreListenedOn() {
        for endpoint in ["tcp://*:7", "tcp://0.0.0.0:7", "tcp://[::]:7"] {
            #expect(TCPAddress(endpoint)?.reached(at: "host-a").endpoint == "tcp://host-a:7")
            #expect(TCPAddress(endpoint)?.near.endpoint == "tcp://127.0.0.1:7")
        }
        #expect(TCPAddress("tcp://10.0.0.1:7")?.reached(at: "host-a").endpoint == "tcp://10.0.0.1:7")
    }
}
