import Testing

/// What the documentation promises about the modules, checked in the sources.
@Suite struct ImportTests {
    /// Modules of the system or the toolchain.
    private static let system: Set<String> = [
        "Foundation", "FoundationEssentials", "Glibc", "Synchronization", "Testing",
    ]
    /// Modules of the package swift-collections.
    private static let collections: Set<String> = ["Collections", "DequeModule", "OrderedCollections"]
    private static let pure = ["Sharding", "Dispatching", "LedgerQueueing", "WorkerLoop", "Report"]

    private struct File {
        var name: String
        var imports: Set<String>
    }

    private static func files(of folder: String) -> [File] {
        Checkout.sources.filter { $0.folder == folder }.map { source in
            let imports = source.lines.compactMap { line -> String? in
                let words = line.split(separator: " ").filter { !["public", "package", "@testable"].contains($0) }
                return words.count == 2 && words[0] == "import" ? String(words[1]) : nil
            }
            return File(name: source.name, imports: Set(imports))
        }
    }

    /// The targets of Package.swift, each with the names in its declaration.
    private static func targets() throws -> [String: Set<String>] {
        let text = try Checkout.text("Package.swift")
        let head = /(?:module|tests)\(\s*"(\w+)"|arget\(\s*name: "([\w-]+)",/
        let heads = text.matches(of: head)
        var targets: [String: Set<String>] = [:]
        for (index, match) in heads.enumerated() {
            let end = index + 1 < heads.count ? heads[index + 1].range.lowerBound : text.endIndex
            let declaration = text[match.range.upperBound..<end]
            var names = Set(declaration.matches(of: /"(\w+)"/).map { String($0.1) })
            if declaration.contains(/\blog\b/) { names.insert("Logging") }
            if declaration.contains(/\bcollections\b/) { names.formUnion(collections) }
            if let name = match.1 ?? match.2 { targets[String(name)] = names }
        }
        return targets
    }

    @Test func pureModulesImportNothingThatDoesAnything() {
        let allowed = Set(Self.pure).union(Self.collections)
        for module in Self.pure {
            let files = Self.files(of: "Sources/\(module)")
            #expect(!files.isEmpty)
            for file in files {
                let others = file.imports.subtracting(allowed)
                #expect(others.isEmpty, "\(module)/\(file.name) imports \(others.sorted())")
            }
        }
    }

    @Test func everyImportIsDeclaredInThePackage() throws {
        let targets = try Self.targets()
        #expect(targets.count > 20)
        for place in ["Sources", "Tests"] {
            for module in try Checkout.names(in: place) {
                guard let declared = targets[module] else { continue }
                for file in Self.files(of: "\(place)/\(module)") {
                    let others = file.imports.subtracting(declared).subtracting(Self.system)
                    #expect(others.isEmpty, "\(place)/\(module)/\(file.name) imports \(others.sorted()) undeclared")
                }
            }
        }
    }

    @Test func everyDeclaredModuleIsImported() throws {
        let targets = try Self.targets()
        let modules = try Checkout.names(in: "Sources")
        for module in modules {
            guard let declared = targets[module] else { continue }
            let imports = Self.files(of: "Sources/\(module)").reduce(into: Set<String>()) {
                $0.formUnion($1.imports)
            }
            let unused = declared.intersection(modules).subtracting(imports).subtracting([module])
            #expect(unused.isEmpty, "\(module) imports nothing of \(unused.sorted())")
        }
    }
}
