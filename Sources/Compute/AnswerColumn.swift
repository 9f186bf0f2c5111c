/// A column that a program's answers have values for.
struct AnswerColumn {
    var name: String
    /// As `format_type` spells it, for messages.
    var typeName: String
    var form: JSONLine.Form
}
