import Testing
@Suite struct Cov { @Test func cov() {
  var total = [Int](repeating: 0, count: Happening.allCases.count); var seeds = total
  var inPhase = 0, ev = 0
  for seed in 1...600 as ClosedRange<UInt64> { let s = Simulation(seed: seed); _ = s.run()
    for (i,c) in s.audit.counts.enumerated() { total[i] += c; if c > 0 { seeds[i] += 1 } }
    if let c = s.completedAt, let h = s.healedAt, c <= h { inPhase += 1 }
    ev += s.handled }
  for (i,h) in Happening.allCases.enumerated() { print("COV", h.rawValue, total[i], seeds[i]) }
  print("COV completed before heal", inPhase, "events per seed", ev/600)
} }
