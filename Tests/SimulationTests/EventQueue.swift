/// The events of a simulation in the order of their times. Events at the same time keep the order of their scheduling.
struct EventQueue {
    private struct Entry {
        let at: Duration
        let order: Int
        let event: () -> Void
    }

    /// A binary heap: `heap[i]` is not later than its children at `2i + 1` and `2i + 2`.
    private var heap: [Entry] = []
    private var scheduled = 0

    mutating func schedule(at moment: Duration, _ event: @escaping () -> Void) {
        scheduled += 1
        heap.append(Entry(at: moment, order: scheduled, event: event))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard precedes(child, parent) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    /// Removes and returns the earliest event; nil if none is left.
    mutating func next() -> (at: Duration, event: () -> Void)? {
        guard let first = heap.first else { return nil }
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var earliest = parent
            if 2 * parent + 1 < heap.count, precedes(2 * parent + 1, earliest) { earliest = 2 * parent + 1 }
            if 2 * parent + 2 < heap.count, precedes(2 * parent + 2, earliest) { earliest = 2 * parent + 2 }
            guard earliest != parent else { return (first.at, first.event) }
            heap.swapAt(parent, earliest)
            parent = earliest
        }
    }

    mutating func removeAll() { heap.removeAll() }

    private func precedes(_ left: Int, _ right: Int) -> Bool {
        let (left, right) = (heap[left], heap[right])
        return left.at == right.at ? left.order < right.order : left.at < right.at
    }
}
