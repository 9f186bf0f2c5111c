/// The least letters that count as the beginning of a name; fewer may mean anything.
private let shortestBeginning = 2

/// The one of `names` that `name` most likely means: the one that begins with it, or else the nearest, with at most one
/// slip in three letters and at most two slips. `nil` when none is near.
package func nearestName(to name: String, in names: [String]) -> String? {
    let typed = Array(name.prefix(64).lowercased().map { $0 == "-" ? "_" : $0 })
    let begun = names.filter { $0.hasPrefix(String(typed)) }
    if typed.count >= shortestBeginning, begun.count == 1 { return begun[0] }
    let allowed = min(2, max(1, typed.count / 3))
    let ranked = names.map { (distance: editDistance(typed, Array($0)), name: $0) }
    return ranked.filter { $0.distance <= allowed }.min { $0.distance < $1.distance }?.name
}

/// The number of letters to insert, remove, replace or swap with a neighbour (optimal string alignment distance).
func editDistance(_ a: [Character], _ b: [Character]) -> Int {
    var beforePrevious: [Int] = []
    var previous = Array(0...b.count)
    for i in 0..<a.count {
        var current = [i + 1]
        for j in 0..<b.count {
            var best = min(previous[j + 1] + 1, current[j] + 1, previous[j] + (a[i] == b[j] ? 0 : 1))
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, beforePrevious[j - 1] + 1) }
            current.append(best)
        }
        (beforePrevious, previous) = (previous, current)
    }
    return previous[b.count]
}
