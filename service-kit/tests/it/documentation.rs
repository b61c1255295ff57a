//! `docs/configuration.md` says what the code does.

use std::{fs, path::PathBuf};

use service_kit::{config::Source, settings};

fn page() -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    fs::read_to_string(path).unwrap()
}

#[test]
fn the_table_names_every_setting_with_its_default_and_meaning() {
    let documented: Vec<String> =
        page().lines().filter(|line| line.starts_with("| `")).map(str::to_owned).collect();
    let expected: Vec<String> = settings::ALL
        .iter()
        .map(|setting| {
            let default =
                setting.default.map_or_else(|| "–".to_owned(), |default| format!("`{default}`"));
            let secret = if setting.secret { "yes" } else { "" };
            format!("| `{}` | {default} | {secret} | {} |", setting.name, setting.meaning)
        })
        .collect();
    assert_eq!(documented, expected, "expected table:\n{}", expected.join("\n"));
}

#[test]
fn the_sample_file_is_read_without_complaint() {
    let page = page();
    let (_, sample) = page.split_once("```toml\n").unwrap();
    let (sample, _) = sample.split_once("```").unwrap();
    let source = Source::new([], Some((PathBuf::from("sample"), sample.to_owned()))).unwrap();
    assert_eq!(source.finish(), Ok(()));
    assert_eq!(source.text(&settings::GLPI_URL).as_deref(), Some("https://glpi.example.org"));
}
