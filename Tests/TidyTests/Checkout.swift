import Foundation

/// The files of the checkout that these tests were built from.
enum Checkout {
    static let root: URL = {
        let file = URL(filePath: realpath(#filePath, nil).map { String(cString: $0) } ?? #filePath)
        return file.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    }()

    static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    static func names(in folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: root.appending(path: folder).path).sorted()
    }

    struct Source {
        /// The folder of the file's target, such as `Sources/Ledger`.
        var folder: String
        var name: String
        /// The file's lines without their comments.
        var lines: [Substring]

        /// Whether protoc wrote the file.
        var isGenerated: Bool { name.hasSuffix(".pb.swift") }
        var path: String { "\(folder)/\(name)" }
        /// The type that the file is named after.
        var head: String { String(name.prefix { $0 != "+" && $0 != "." }) }
    }

    /// All Swift files of the targets, read once.
    static let sources: [Source] = {
        do {
            return try ["Sources", "Tests"].flatMap { place in
                try names(in: place).flatMap { try sources(of: "\(place)/\($0)") }
            }
        } catch {
            fatalError("the checkout at \(root.path) cannot be read: \(error)")
        }
    }()

    private static func sources(of folder: String) throws -> [Source] {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: root.appending(path: folder).path, isDirectory: &isFolder),
            isFolder.boolValue
        else { return [] }
        return try names(in: folder).filter { $0.hasSuffix(".swift") }.map { name in
            let lines = try text("\(folder)/\(name)").split(separator: "\n", omittingEmptySubsequences: false)
            return Source(folder: folder, name: name, lines: lines.map(withoutComment))
        }
    }

    /// The line without its comment. A `//` behind a colon is part of an address in a text.
    private static func withoutComment(_ line: Substring) -> Substring {
        let bytes = line.utf8
        var index = bytes.startIndex
        var last: UInt8 = 0
        var slash: Substring.Index?
        while index < bytes.endIndex {
            let byte = bytes[index]
            if byte == 47, last == 47, let slash { return line[..<slash] }
            slash = byte == 47 && last != 58 ? index : nil
            last = byte
            index = bytes.index(after: index)
        }
        return line
    }
}
