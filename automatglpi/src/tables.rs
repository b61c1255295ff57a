//! Tables for people: on a terminal as wide as it is, else as wide as needed.

use comfy_table::{ContentArrangement, Table, presets};

use crate::output;

/// A table with these headings. Texts may come from anywhere.
pub(crate) fn table(headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(headings.iter().map(|heading| heading.to_uppercase()));
    for row in rows {
        table.add_row(row.iter().map(|cell| output::escaped(cell)));
    }
    table.trim_fmt()
}

/// Names and values, one pair per line.
pub(crate) fn pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let pairs: Vec<_> = pairs.into_iter().collect();
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let lines =
        pairs.iter().map(|(name, value)| format!("{name:<width$}  {}", output::escaped(value)));
    lines.collect::<Vec<_>>().join("\n")
}
