import Foundation
import Glibc
import Support
import Testing
import ZeroMQ

@testable import Trust

@Suite struct KeyFolderTests {
    private let keys: KeyFolder
    private let db1: KeyName
    private static let now = "2026-11-30T12:00:00Z"

    init() throws {
        keys = KeyFolder("\(ScratchFolder.path)/coord-keys-\(UInt64.random(in: 0 ... .max))/keys")
        db1 = try #require(KeyName("db1-workers"))
    }

    /// Takes away what a test has made.
    private func clean() throws {
        try FileManager.default.removeItem(atPath: String(keys.path.dropLast("/keys".count)))
    }

    private func mode(_ path: String) -> mode_t {
        var status = stat()
        return stat("\(keys.path)/\(path)", &status) == 0 ? status.st_mode & 0o777 : 0
    }

    private func text(_ path: String) throws -> String {
        try String(contentsOfFile: "\(keys.path)/\(path)", encoding: .utf8)
    }

    @Test func newKeyIsAllowedAndItsSecretIsForThisUserAlone() throws {
        let made = try keys.make(db1, created: Self.now)
        #expect(mode("db1-workers.key") == 0o600)
        #expect(mode("") == 0o700)
        #expect(try keys.allowed().name(of: made.publicKey) == db1)
        #expect(try keys.worker(named: nil).publicKey == made.publicKey)
        let secret = try #require(made.pair?.secret)
        #expect(try text("db1-workers.key").contains("secret: \(secret)\n"))
        #expect(try !text("allowed/db1-workers.pub").contains(secret))
        #expect(try !"\(keys.list())".contains(secret))
        try clean()
    }

    @Test func keyIsReplacedByNothingButARotation() throws {
        let made = try keys.make(db1, created: Self.now)
        let error = #expect(throws: TrustError.self) { try keys.make(db1, created: Self.now) }
        #expect(error?.description.contains("coord keys rotate db1-workers") == true)
        #expect(try keys.worker(named: db1).publicKey == made.publicKey)
        try clean()
    }

    @Test(arguments: [mode_t(0o640), 0o604, 0o644, 0o666, 0o610])
    func secretThatOthersCouldReadIsRefusedWithTheMend(mode: mode_t) throws {
        try keys.make(db1, created: Self.now)
        let file = "\(keys.path)/db1-workers.key"
        #expect(chmod(file, mode) == 0)
        let error = #expect(throws: TrustError.self) { try keys.worker(named: nil) }
        #expect(error?.code == .exposed)
        #expect(error?.description.contains("chmod 600 \(file)") == true)
        #expect(chmod(file, 0o400) == 0)
        #expect(throws: Never.self) { try keys.worker(named: nil) }
        try clean()
    }

    @Test func listThatOthersCouldChangeIsRefused() throws {
        let made = try keys.make(db1, created: Self.now)
        let file = "\(keys.path)/allowed/db1-workers.pub"
        #expect(chmod(file, 0o664) == 0)
        // The key is not taken, the others would be.
        let list = try keys.allowed()
        #expect(list.name(of: made.publicKey) == nil)
        #expect(list.problems.count == 1 && list.problems[0].contains("chmod go-w \(file)"))
        #expect(chmod(file, 0o644) == 0 && chmod("\(keys.path)/allowed", 0o777) == 0)
        #expect(throws: TrustError.self) { try keys.allowed() }
        try clean()
    }

    @Test func brokenFileOfTheListIsAKeyLessAndNoMore() throws {
        let made = try keys.make(db1, created: Self.now)
        try "name: x\npublic: nonsense\n".write(
            toFile: "\(keys.path)/allowed/broken.pub", atomically: true, encoding: .utf8)
        let list = try keys.allowed()
        #expect(list.name(of: made.publicKey) == db1)
        #expect(list.problems.count == 1)
        try clean()
    }

    @Test func revokedKeyIsNotAllowedAndItsSecretIsGone() throws {
        let made = try keys.make(db1, created: Self.now)
        let before = try keys.allowed()
        #expect(try keys.revoke(db1) == [db1])
        #expect(try keys.revoke(db1) == [])
        let after = try keys.allowed()
        #expect(after.isEmpty)
        #expect(after.revoked(since: before).map(\.key) == [made.publicKey])
        #expect(before.revoked(since: before).isEmpty)
        #expect(access("\(keys.path)/db1-workers.key", F_OK) != 0)
        #expect(try keys.list().map(\.state) == [.revoked])
        // The name is free again, for another key.
        #expect(try keys.make(db1, created: Self.now).publicKey != made.publicKey)
        try clean()
    }

    @Test func rotatedKeyIsAllowedBesideTheNewOneUntilItIsRevoked() throws {
        let first = try keys.make(db1, created: Self.now)
        let second = try keys.rotate(db1, created: Self.now)
        #expect(first.publicKey != second.publicKey)
        #expect(try keys.allowed().name(of: first.publicKey) == db1.old)
        #expect(try keys.allowed().name(of: second.publicKey) == db1)
        #expect(try keys.worker(named: nil).publicKey == second.publicKey)
        let error = #expect(throws: TrustError.self) { try keys.rotate(db1, created: Self.now) }
        #expect(error?.description.contains("coord keys revoke db1-workers-old") == true)
        #expect(try keys.revoke(db1.old) == [db1.old])
        #expect(try keys.allowed().name(of: first.publicKey) == nil)
        #expect(try keys.worker(named: nil).publicKey == second.publicKey)
        try clean()
    }

    /// Its host may still have the one before.
    @Test func revokedNameTakesTheKeyBeforeARotationAndEveryCopyAlong() throws {
        let first = try keys.make(db1, created: Self.now)
        let second = try keys.rotate(db1, created: Self.now)
        let copy = "\(keys.path)/allowed/a-copy.pub"
        try FileManager.default.copyItem(atPath: "\(keys.path)/allowed/\(db1).pub", toPath: copy)
        #expect(try keys.revoke(db1).map(\.text) == ["a-copy", "db1-workers", "db1-workers-old"])
        let list = try keys.allowed()
        #expect(list.name(of: first.publicKey) == nil && list.name(of: second.publicKey) == nil && list.isEmpty)
        try clean()
    }

    @Test func folderThatOthersCouldReplaceIsRefused() throws {
        try keys.make(db1, created: Self.now)
        #expect(chmod(keys.path, 0o770) == 0)
        #expect(throws: TrustError.self) { try keys.allowed() }
        try clean()
    }

    @Test func coordinatorsKeyIsPinnedAndOnNoList() throws {
        #expect(try keys.coordinator() == nil)
        #expect(throws: TrustError.self) { try keys.pinned() }
        let made = try keys.make(.coordinator, created: Self.now)
        #expect(try keys.coordinator()?.publicKey == made.publicKey)
        #expect(try keys.pinned() == made.publicKey)
        #expect(throws: TrustError.self) { try keys.credentials() }
        #expect(try keys.allowed().isEmpty)
        #expect(throws: TrustError.self) { try keys.revoke(.coordinator) }
        let other = try keys.rotate(.coordinator, created: Self.now)
        #expect(try keys.pinned() == other.publicKey && other.publicKey != made.publicKey)
        // It is no worker's.
        #expect(throws: TrustError.self) { try keys.worker(named: nil) }
        try clean()
    }

    /// `coord keys new` on a worker's host must not take its coordinator from it.
    @Test func pinnedKeyOfAnotherCoordinatorIsNotReplaced() throws {
        let other = KeyFile(name: .coordinator, created: Self.now, pair: try CurveKeyPair.generate())
        try GuardedFile.write(
            other.publicText, to: "\(keys.path)/coordinator.pub", mode: GuardedFile.publicMode, replaces: false)
        #expect(try keys.makeCoordinator(created: Self.now) == nil)
        #expect(throws: TrustError.self) { try keys.make(.coordinator, created: Self.now) }
        #expect(throws: TrustError.self) { try keys.rotate(.coordinator, created: Self.now) }
        #expect(try keys.pinned() == other.publicKey)
        try clean()
    }

    @Test func severalPairsOfWorkersAreToldApartByName() throws {
        let made = try keys.make(db1, created: Self.now)
        try keys.make(try #require(KeyName("db2")), created: Self.now)
        let error = #expect(throws: TrustError.self) { try keys.worker(named: nil) }
        #expect(error?.description.contains("--key db1-workers") == true)
        #expect(try keys.worker(named: db1).publicKey == made.publicKey)
        #expect(throws: TrustError.self) { try keys.worker(named: KeyName("db3")) }
        try clean()
    }

    @Test(arguments: ["", ".", "..", "a/b", "../x", "-x", "Ä", "A", "a b", String(repeating: "a", count: 64)])
    func nameThatIsNoFilesIsNone(_ text: String) { #expect(KeyName(text) == nil) }

    @Test func fileIsReadAsItWasWritten() throws {
        let key = KeyFile(name: db1, created: Self.now, pair: try CurveKeyPair.generate())
        let secret = try #require(key.secretText)
        #expect(try KeyFile(parsing: secret, file: "f") == key)
        #expect(try KeyFile(parsing: key.publicText, file: "f").pair == nil)
    }

    /// An error of a broken file does not show what the file has.
    @Test func brokenSecretIsNotRepeated() throws {
        let key = KeyFile(name: db1, created: Self.now, pair: try CurveKeyPair.generate())
        let other = try CurveKeyPair.generate().secret
        let text = key.publicText + "secret: \(other)\n"
        let error = #expect(throws: TrustError.self) { try KeyFile(parsing: text, file: "f") }
        #expect(error.map { "\($0)".contains(other) } == false)
    }
}
