import Mutations
import Testing

@testable import Compute

/// A program may answer anything.
@Suite struct MutationTests {
    private static let answers = [
        #"{"id":10,"v":"a\u00e9\n"}"#, #"{"v":null,"id":20}"#,
        #"{"id":"30","v":[1,null,"x",{"a":[]}],"more":{"b":1e9}}"#,
        #"{"\u0069d":10,"v":-1.5E+3}"#, #" { "v" : true , "id" : 20 } "#,
    ].map { Array($0.utf8) }

    @Test(arguments: [JSONLine.Form.Scalar.text, .bigint, .numeric, .boolean, .json], [nil, UInt8(ascii: ",")])
    func answerIsTakenOrRefusedWithAReason(form: JSONLine.Form.Scalar, delimiter: UInt8?) {
        var mutation = Mutation(of: Self.answers, seed: 1)
        var taken = 0
        for _ in 0..<500 {
            var collector = AnswerCollectorTests.collector(["10", "20", "30"], form: form, delimiter: delimiter)
            let line = mutation.next()
            // An answer that is refused ends the batch.
            do {
                try line.withUnsafeBytes { try collector.add($0) }
                #expect(collector.missing == 2)
                taken += 1
            } catch {
                #expect(!"\(error)".isEmpty)
            }
        }
        #expect(taken > 0)
    }
}
