import Host
import Report
import Synchronization
import Worker

/// Tells the service manager that has started this process how a run or a worker goes. Without one it does nothing.
final class ServiceReporter: Sendable {
    private let manager: ServiceManager?
    private let signs: Mutex<ServiceSigns>

    init(_ manager: ServiceManager? = .own) {
        self.manager = manager
        signs = Mutex(ServiceSigns(watchdog: manager?.watchdog))
    }

    func happened(_ event: RunEvent) { tell { $0.happened(event, now: $1) } }
    func stands(_ standing: WorkerStanding) { tell { $0.stands(standing, now: $1) } }
    func stopping() { tell { signs, _ in signs.stopping() } }

    private func tell(_ event: (inout ServiceSigns, Duration) -> [ServiceSigns.Sign]) {
        guard let manager else { return }
        for sign in signs.withLock({ event(&$0, MonotonicTime.now()) }) {
            switch sign {
            case .ready: manager.ready()
            case .status(let text): manager.status(text)
            case .feed: manager.feed()
            case .stopping: manager.stopping()
            }
        }
    }
}
