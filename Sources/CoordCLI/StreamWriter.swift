import Glibc
import Host

/// Writes one of the process's streams.
///
/// Once it is detached, a thread of its own writes, and who posts never waits for the terminal or the program at the other
/// end, which may take nothing for hours. What waits is bounded: a picture or a progress line gives way to the next
/// one, and messages beyond the bound are counted, and the number is written in their place.
///
/// The descriptor keeps its flags, which it shares with other processes. A write that fails is remembered, and nothing
/// more is written: what follows a hole would be misread.
///
/// `@unchecked Sendable` because all that changes is only touched under `mutex`, but for `drawn`, which is the thread's.
final class StreamWriter: @unchecked Sendable {
    /// Why a stream could not be written.
    enum Fault: Equatable, CustomStringConvertible {
        /// errno of `write`.
        case failed(Int32)
        /// Nothing was taken for so long.
        case stuck(Duration)

        var description: String {
            switch self {
            case .failed(let code): String(cString: strerror(code))
            case .stuck(let patience): "nothing was taken for \(patience.components.seconds) s"
            }
        }
    }

    private enum Entry {
        case text(String)
        case progress(String)
        case dropped(Int)
    }

    /// The most messages that wait, and their bytes. The same number again may be with the thread.
    static let entryLimit = 1000
    static let byteLimit = 1 << 20
    /// Times its patience that `settle` waits for one who takes a little now and then.
    static let patienceLimit = 12

    private let descriptor: Int32
    private let notice: @Sendable (Int) -> String
    private let failed: @Sendable (Fault) -> Void
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var queue: [Entry] = []
    private var queuedBytes = 0
    private var picture: (@Sendable () -> [String])?
    private var isPictureDue = false
    private var isPictureLast = false
    private var isDetached = false
    private var isWriting = false
    /// The last text is posted: nothing follows it.
    private var isEnding = false
    private var bytesTaken = 0
    private var known: Fault?
    /// Lines of the picture that stands on the terminal.
    private var drawn = 0

    /// - Parameters:
    ///   - notice: the line, with its end, that stands for a number of messages that were dropped.
    ///   - failed: called when a write has failed before the last text was posted.
    init(
        _ descriptor: Int32, notice: @escaping @Sendable (Int) -> String,
        failed: @escaping @Sendable (Fault) -> Void = { _ in }
    ) {
        self.descriptor = descriptor
        self.notice = notice
        self.failed = failed
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    /// Why the stream could not be written, when that is so.
    var fault: Fault? { locked { known } }

    // MARK: - Posting

    /// Posts text with its line end.
    func post(_ text: String) {
        guard locked({ isDetached }) else { return push(text) }
        locked {
            guard known == nil, !isEnding else { return }
            if queue.count < Self.entryLimit, queuedBytes + text.utf8.count <= Self.byteLimit {
                queue.append(.text(text))
                queuedBytes += text.utf8.count
            } else if case .dropped(let count)? = queue.last {
                queue[queue.count - 1] = .dropped(count + 1)
            } else {
                queue.append(.dropped(1))
            }
        }
    }

    /// Posts how far the work is; what was posted so before, and still waits, is not written.
    func postProgress(_ text: String) {
        guard locked({ isDetached }) else { return push(text) }
        locked {
            guard known == nil, !isEnding else { return }
            queue.removeAll { if case .progress = $0 { true } else { false } }
            queue.append(.progress(text))
        }
    }

    /// Posts the last text, which is not bounded. Whatever is posted after it is not written.
    func postLast(_ text: String) {
        guard locked({ isDetached }) else { return push(text) }
        locked {
            guard known == nil, !isEnding else { return }
            isEnding = true
            queue.append(.text(text))
        }
    }

    /// Replaces the picture that stands below all messages. Its lines are made when there is room for them.
    func postPicture(_ lines: @escaping @Sendable () -> [String]) {
        locked {
            guard isDetached, known == nil else { return }
            picture = lines
            isPictureDue = true
        }
    }

    /// Leaves the picture standing: messages follow it from now on.
    func leavePicture(_ lines: @escaping @Sendable () -> [String]) {
        locked {
            guard isDetached, known == nil else { return }
            picture = lines
            isPictureDue = true
            isPictureLast = true
        }
    }

    // MARK: - The thread

    /// Stack of the thread in bytes. It renders pictures.
    private static let stackSize = 1 << 20

    /// Writes from a thread of its own from now on. Until then a call writes before it returns.
    func detach() {
        guard locked({ !isDetached }) else { return }
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setstacksize(&attributes, Self.stackSize)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        defer { pthread_attr_destroy(&attributes) }
        var thread = pthread_t()
        let status = pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument else { return nil }
                Unmanaged<StreamWriter>.fromOpaque(argument).takeUnretainedValue().loop()
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
        // Without a thread, calls go on to write by themselves.
        if status == 0 { locked { isDetached = true } }
    }

    /// Waits until all that was posted is written.
    ///
    /// - Parameter patience: how long nothing may be taken.
    /// - Returns: false when it is not all written.
    @discardableResult
    func settle(patience: Duration) -> Bool {
        locked {
            var taken = bytesTaken
            let last = MonotonicTime.now() + patience * Self.patienceLimit
            var deadline = MonotonicTime.now() + patience
            while isWriting || !queue.isEmpty || isPictureDue {
                guard known == nil else { return false }
                var time = timespec(
                    tv_sec: Int(deadline.components.seconds),
                    tv_nsec: Int(deadline.components.attoseconds / 1_000_000_000))
                guard pthread_cond_timedwait(condition, mutex, &time) == ETIMEDOUT else { continue }
                guard bytesTaken != taken, deadline < last else { return false }
                taken = bytesTaken
                deadline = min(last, MonotonicTime.now() + patience)
            }
            return known == nil
        }
    }

    /// From here on nothing is written.
    func giveUp(_ fault: Fault) {
        locked { known = known ?? fault }
    }

    private func loop() {
        while true {
            pthread_mutex_lock(mutex)
            isWriting = false
            pthread_cond_broadcast(condition)
            while queue.isEmpty && !isPictureDue { pthread_cond_wait(condition, mutex) }
            isWriting = true
            var entries: [Entry] = []
            swap(&entries, &queue)
            queuedBytes = 0
            let (picture, isLast) = (picture, isPictureLast)
            isPictureDue = false
            isPictureLast = false
            if isLast { self.picture = nil }
            pthread_mutex_unlock(mutex)
            // One write, so that a terminal shows no half of it.
            var text = drawn > 0 ? "\u{1B}[\(drawn)A\r\u{1B}[J" : ""
            for entry in entries {
                switch entry {
                case .text(let line), .progress(let line): text += line
                case .dropped(let count): text += notice(count)
                }
            }
            let lines = picture?() ?? []
            if !lines.isEmpty { text += lines.joined(separator: "\n") + "\n" }
            drawn = isLast ? 0 : lines.count
            push(text)
        }
    }

    // MARK: - Writing

    private func push(_ text: String) {
        guard locked({ known == nil }) else { return }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            let code = errno
            if count > 0 {
                rest = rest.dropFirst(count)
                locked { bytesTaken += count }
            } else if count == 0 || code == EAGAIN {
                // Whoever shares the stream may have made it one that does not wait.
                var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&wait, 1, -1)
            } else if code != EINTR {
                return fail(.failed(code))
            }
        }
    }

    private func fail(_ fault: Fault) {
        let isNews = locked {
            queue = []
            isPictureDue = false
            let isNews = known == nil && isDetached && !isEnding
            known = known ?? fault
            return isNews
        }
        if isNews { failed(fault) }
    }

    private func locked<R>(_ body: () -> R) -> R {
        pthread_mutex_lock(mutex)
        defer {
            pthread_cond_broadcast(condition)
            pthread_mutex_unlock(mutex)
        }
        return body()
    }
}
