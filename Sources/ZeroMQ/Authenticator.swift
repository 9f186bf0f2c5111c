/// The ZAP handler of a process: libzmq asks it about each peer that connects where keys are demanded.
///
/// It only carries questions and answers; who is let in is the owner's decision. It belongs to the socket loop's thread, and
/// must be there before the first endpoint that demands keys.
package final class Authenticator {
    private static let endpoint = "inproc://zeromq.zap.01"

    let socket: ZeroMQSocket
    private let isAllowed: (ZAPRequest) -> Bool

    package init(on loop: SocketLoop, isAllowed: @escaping (ZAPRequest) -> Bool) throws(ZeroMQError) {
        self.isAllowed = isAllowed
        socket = try loop.makeSocket(.reply)
        do throws(ZeroMQError) {
            try socket.bind(Self.endpoint)
        } catch {
            socket.close()
            throw error
        }
        loop.watch(socket) { [unowned self] in answer() }
    }

    package func close(on loop: SocketLoop) {
        loop.unwatch(socket)
        socket.close()
    }

    /// Answers all questions that have come.
    func answer() {
        // A question without an answer lets nobody in: libzmq ends that connection after the time for a handshake.
        while let message = (try? socket.receive()) ?? nil {
            let request = ZAPRequest(frames: message.frames)
            let reply = request.map { $0.reply(isAllowed: isAllowed($0)) } ?? ZAPRequest.refusal(of: message.frames)
            try? socket.send(reply)
        }
    }
}
