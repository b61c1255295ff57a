//! Parked entries for a spreadsheet.

use serde_json::Value;

use super::view::EntryView;
use crate::output;

const COLUMNS: [&str; 9] = [
    "reference",
    "recorded",
    "attempts",
    "reason",
    "caller",
    "department",
    "email",
    "phone",
    "description",
];

pub(super) fn heading() -> String {
    COLUMNS.join(",")
}

pub(super) fn line(entry: &EntryView) -> String {
    let content = entry.content.as_ref();
    let said = |pointers: [&str; 2]| {
        let found = pointers.iter().find_map(|pointer| content?.pointer(pointer)?.as_str());
        found.unwrap_or_default().to_owned()
    };
    let caller = |field: &str| {
        let pointer = format!("/ticket/caller/{field}");
        let value = content.and_then(|content| content.pointer(&pointer)).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    let cells: [String; COLUMNS.len()] = [
        entry.reference.clone(),
        entry.create_time.map(|moment| moment.to_string()).unwrap_or_default(),
        entry.attempts.to_string(),
        entry.reason.clone().unwrap_or_default(),
        caller("name"),
        caller("department"),
        caller("email"),
        caller("phone"),
        said(["/ticket/description", "/followup/text"]),
    ];
    cells.map(|text| cell(&text)).join(",")
}

/// One cell, which neither a spreadsheet takes for a formula nor a terminal for an order.
fn cell(text: &str) -> String {
    // Spreadsheets show an apostrophe at the beginning to nobody, and calculate nothing after it.
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    let lines = text.split('\n').map(output::escaped);
    let text = lines.collect::<Vec<_>>().join("\n").replace('"', "\"\"");
    format!("\"{guard}{text}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_or_an_order() {
        for (text, expected) in [
            ("=HYPERLINK(\"x\")", "\"'=HYPERLINK(\"\"x\"\")\""),
            ("+33612345678", "\"'+33612345678\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\t=1", "\"'\\u0009=1\""),
            ("a\u{1b}[2J,\nb", "\"a\\u001b[2J,\nb\""),
            ("é", "\"é\""),
        ] {
            assert_eq!(cell(text), expected);
        }
    }
}
