import Testing

@testable import Coordinator

struct EndpointTests {
    @Test(arguments: [
        "ipc:///tmp/x", "tcp://127.0.0.1:5555", "tcp://127.9.9.9:*",
    ])
    func endpointsOfThisHostAreTaken(endpoint: String) { #expect(Endpoint.isLocal(endpoint)) }

    @Test(arguments: [
        "tcp://*:5555", "tcp://0.0.0.0:5555", "tcp://10.0.0.1:5555", "tcp://[::]:1", "tcp://127.evil.example:1",
        "tcp://localhost.example:1", "tcp://eth0:5555", "tcp://127.0.0.1", "pgm://127.0.0.1:1", "", "127.0.0.1:5",
        "tcp://127.0.0.1.example:1",
        // libzmq cannot listen on a host name, nor on IPv6 in this set-up.
        "tcp://localhost:1", "tcp://[::1]:7000",
    ])
    func endpointsThatOtherHostsCouldReachAreRefused(endpoint: String) { #expect(!Endpoint.isLocal(endpoint)) }
}
