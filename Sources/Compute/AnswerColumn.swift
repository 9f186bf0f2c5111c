/// A column that the program's answers must hold.
struct AnswerColumn {
    var name: String
    /// The type as `format_type` spells it, for messages.
    var typeName: String
    var form: JSONLine.Form
}
