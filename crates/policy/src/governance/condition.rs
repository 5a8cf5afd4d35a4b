//! A condition of a governance record as Cedar. Each begins by asking whether the field is there
//! and of the right type, so that it is not met where it is not, and never fails.
//! Must not know whole rules.

use aegis_model::governance::{Condition, ConditionValue, Number, Operator};

use crate::quote::{inner_pattern, literal, literal_set, prefix_pattern, suffix_pattern};

/// When the condition is met; none where operator or value were not checked.
pub(super) fn met(condition: &Condition) -> Option<String> {
    let field = Field { name: literal(&condition.field) };
    match Operator::by_name(&condition.operator)? {
        Operator::Exists => Some(field.there()),
        Operator::NotExists => Some(format!("!{}", field.there())),
        operator => {
            let value = ConditionValue::of(condition.value.as_ref()?)?;
            let ways = compared(operator, &value, &field)?;
            Some(format!("{} && ({})", field.there(), ways.join(" || ")))
        }
    }
}

/// A field of the document, its name already quoted.
struct Field {
    name: String,
}

impl Field {
    fn there(&self) -> String {
        format!("context.document.hasTag({})", self.name)
    }

    /// The field's value, where it is of this type.
    fn value(&self, kind: &str) -> String {
        format!("context.document.getTag({}).{kind}", self.name)
    }

    /// The field is of this type, and `test` holds for its value.
    fn of(&self, kind: &str, test: impl Fn(&str) -> String) -> String {
        format!("(context.document.getTag({}) has {kind} && {})", self.name, test(&self.value(kind)))
    }
}

/// The ways in which the comparison can hold, one for each type that the field may be of.
fn compared(operator: Operator, value: &ConditionValue, field: &Field) -> Option<Vec<String>> {
    use ConditionValue::{Boolean, Number, Numbers, Text, Texts};
    use Operator::{Contains, EndsWith, Equals, In, NotContains, NotEquals, NotIn, StartsWith};
    Some(match (operator, value) {
        (Equals | NotEquals, Text(_) | Number(_) | Boolean(_)) => {
            let (kind, written) = plain(value)?;
            let sign = if operator == Equals { "==" } else { "!=" };
            vec![field.of(kind, |own| format!("{own} {sign} {written}"))]
        }
        (Contains | NotContains, Text(_) | Number(_)) => contains(value, field, operator == Contains)?,
        (In, Texts(_) | Numbers(_)) => vec![among(value, field, true)?],
        (NotIn, Texts(_) | Numbers(_)) => vec![among(value, field, false)?],
        (StartsWith, Text(text)) => vec![field.of("text", |own| format!("{own} like {}", prefix_pattern(text)))],
        (EndsWith, Text(text)) => vec![field.of("text", |own| format!("{own} like {}", suffix_pattern(text)))],
        (operator, Number(number)) => vec![ordered(operator, *number, field)?],
        _ => return None,
    })
}

/// The field's type, and the value as it is written in Cedar.
fn plain(value: &ConditionValue) -> Option<(&'static str, String)> {
    match value {
        ConditionValue::Text(text) => Some(("text", literal(text))),
        ConditionValue::Number(value) => Some(("number", number(*value))),
        ConditionValue::Boolean(value) => Some(("flag", value.to_string())),
        ConditionValue::Texts(_) | ConditionValue::Numbers(_) => None,
    }
}

/// A text has texts in it, and a list has its entries.
fn contains(value: &ConditionValue, field: &Field, wanted: bool) -> Option<Vec<String>> {
    let said = |test: String| if wanted { test } else { format!("!({test})") };
    match value {
        ConditionValue::Text(text) => Some(vec![
            field.of("text", |own| said(format!("{own} like {}", inner_pattern(text)))),
            field.of("texts", |own| said(format!("{own}.contains({})", literal(text)))),
        ]),
        ConditionValue::Number(value) => {
            Some(vec![field.of("numbers", |own| said(format!("{own}.contains({})", number(*value))))])
        }
        ConditionValue::Boolean(_) | ConditionValue::Texts(_) | ConditionValue::Numbers(_) => None,
    }
}

/// The field is one of the values, or none of them.
fn among(value: &ConditionValue, field: &Field, wanted: bool) -> Option<String> {
    let (kind, values) = match value {
        ConditionValue::Texts(texts) => ("text", literal_set(texts.iter().map(String::as_str))),
        ConditionValue::Numbers(numbers) => {
            let numbers: Vec<String> = numbers.iter().map(|whole| number(Number::whole(*whole))).collect();
            ("number", format!("[{}]", numbers.join(", ")))
        }
        ConditionValue::Text(_) | ConditionValue::Number(_) | ConditionValue::Boolean(_) => return None,
    };
    let not = if wanted { "" } else { "!" };
    Some(field.of(kind, |own| format!("{not}{values}.contains({own})")))
}

/// Compares first the whole parts, and where those are the same, what is above them.
fn ordered(operator: Operator, value: Number, field: &Field) -> Option<String> {
    let (strict, last) = match operator {
        Operator::GreaterThan => (">", ">"),
        Operator::GreaterOrEqual => (">", ">="),
        Operator::LessThan => ("<", "<"),
        Operator::LessOrEqual => ("<", "<="),
        _ => return None,
    };
    let Number { whole, billionths } = value;
    Some(field.of("number", |own| {
        format!("({own}.whole {strict} {whole} || ({own}.whole == {whole} && {own}.billionths {last} {billionths}))")
    }))
}

fn number(value: Number) -> String {
    format!("{{whole: {}, billionths: {}}}", value.whole, value.billionths)
}
