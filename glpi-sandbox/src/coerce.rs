//! What PHP and the database make of the values a client sends.

use serde_json::Value;

use crate::message::Message;

/// Why an input is not stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// An exception nobody catches: 200 with an empty body.
    Uncaught,
    /// The database's words, passed on to the client as they are.
    Sql(String),
    /// GLPI's words.
    Said(Message),
    /// GLPI refuses without a word.
    Silent,
}

/// A text column: numbers become text; null and false are nothing.
pub(crate) fn text(value: Option<&Value>) -> Result<String, Refusal> {
    match value {
        None | Some(Value::Null | Value::Bool(false)) => Ok(String::new()),
        Some(Value::Bool(true)) => Ok("1".to_owned()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Array(_) | Value::Object(_)) => Err(Refusal::Uncaught),
    }
}

/// An integer column that GLPI passes to the database unseen.
pub(crate) fn integer(value: Option<&Value>, column: &str, default: i64) -> Result<i64, Refusal> {
    match value {
        None | Some(Value::Null) => Ok(default),
        Some(Value::Array(_) | Value::Object(_)) => Err(Refusal::Uncaught),
        Some(value) => number(value).ok_or_else(|| {
            let shown = value.as_str().unwrap_or_default();
            Refusal::Sql(format!(
                "Incorrect integer value: '{shown}' for column `glpi`.`glpi_tickets`.`{column}` at row 1"
            ))
        }),
    }
}

/// The id of another object, with which GLPI computes before it stores it.
/// Whether that object exists is not asked.
pub(crate) fn reference(value: Option<&Value>, default: i64) -> Result<i64, Refusal> {
    match value {
        None | Some(Value::Null) => Ok(default),
        Some(value) => number(value).ok_or(Refusal::Uncaught),
    }
}

/// Urgency or impact, which PHP truncates where it computes with them and
/// the database rounds when it stores them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    pub(crate) stored: i64,
    pub(crate) computed_with: i64,
}

/// 3 when outside 1 to 5; an exception when negative or not a number.
pub(crate) fn level(value: Option<&Value>) -> Result<Level, Refusal> {
    const MEDIUM: Level = Level { stored: 3, computed_with: 3 };
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(MEDIUM) };
    let stored = number(value).filter(|level| *level >= 0).ok_or(Refusal::Uncaught)?;
    let computed_with = match value.as_f64() {
        Some(fraction) => truncated(fraction),
        None => stored,
    };
    match computed_with {
        1..=5 => Ok(Level { stored, computed_with }),
        _ => Ok(MEDIUM),
    }
}

/// GLPI's matrix of urgency and impact, as installed.
pub(crate) fn priority(urgency: i64, impact: i64) -> i64 {
    const MATRIX: [[i64; 5]; 5] =
        [[1, 1, 2, 2, 2], [1, 2, 2, 3, 3], [2, 2, 3, 4, 4], [2, 3, 4, 4, 5], [2, 3, 4, 5, 5]];
    let index = |level: i64| usize::try_from(level.clamp(1, 5) - 1).unwrap_or(2);
    MATRIX[index(urgency)][index(impact)]
}

/// `YYYY-MM-DD HH:MM:SS` in the server's zone; nothing means now.
pub(crate) fn date(value: Option<&Value>) -> Result<Option<String>, Refusal> {
    let text = text(value)?;
    if text.is_empty() {
        return Ok(None);
    }
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    if shape != "0000-00-00 00:00:00" {
        return Err(Refusal::Said(Message::BadDate));
    }
    if jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", &text).is_err() {
        return Err(Refusal::Sql(format!(
            "Incorrect datetime value: '{text}' for column `glpi`.`glpi_tickets`.`date` at row 1"
        )));
    }
    Ok(Some(text))
}

/// The ids in a scalar or a list; what is no number counts as 0.
pub(crate) fn ids(value: Option<&Value>) -> Vec<u64> {
    let id = |value: &Value| number(value).and_then(|id| u64::try_from(id).ok()).unwrap_or(0);
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(list)) => list.iter().map(id).collect(),
        Some(Value::Object(list)) => list.values().map(id).collect(),
        Some(value) => vec![id(value)],
    }
}

/// A number, a numeric text, or a truth value; fractions are rounded.
pub(crate) fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Bool(truth) => Some(i64::from(*truth)),
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(rounded)),
        Value::String(text) => {
            let text = text.trim();
            text.parse()
                .ok()
                .or_else(|| text.parse::<f64>().ok().filter(|n| n.is_finite()).map(rounded))
        }
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "that is the point")]
fn truncated(number: f64) -> i64 {
    number as i64
}

#[expect(clippy::cast_possible_truncation, reason = "saturates, and then is out of range anyway")]
fn rounded(number: f64) -> i64 {
    number.round() as i64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn urgencies_are_read_as_recorded() {
        for (sent, stored) in [
            (json!(9), Ok(3)),
            (json!(0), Ok(3)),
            (json!("5"), Ok(5)),
            (json!(3.7), Ok(4)),
            (json!(true), Ok(1)),
            (json!(null), Ok(3)),
            (json!(-1), Err(Refusal::Uncaught)),
            (json!("haute"), Err(Refusal::Uncaught)),
            (json!(""), Err(Refusal::Uncaught)),
        ] {
            assert_eq!(level(Some(&sent)).map(|level| level.stored), stored, "{sent}");
        }
    }
}
