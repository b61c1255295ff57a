//! `docs/configuration.md` says what the code does.

use std::{fs, path::PathBuf};

use service_kit::{config::Source, settings};
use tempfile::TempDir;

fn page() -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    fs::read_to_string(path).unwrap()
}

#[test]
fn the_table_names_every_setting_with_its_default_and_meaning() {
    let documented: Vec<String> =
        page().lines().filter(|line| is_setting(line)).map(str::to_owned).collect();
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

/// Other tables of the page are of other things.
fn is_setting(line: &str) -> bool {
    line.starts_with("| `GLPI_") || line.starts_with("| `AUTOMATGLPI_")
}

/// The sample file of the page, its secrets moved to `secrets`.
fn sample(secrets: &TempDir) -> String {
    let page = page();
    let (_, sample) = page.split_once("```toml\n").unwrap();
    let (sample, _) = sample.split_once("```").unwrap();
    let moved = sample.lines().map(|line| match line.split_once("\"/run/secrets/") {
        Some((key, file)) => {
            let path = secrets.path().join(file.trim_end_matches('"'));
            fs::write(&path, "s3cret\n").unwrap();
            format!("{key}\"{}\"", path.display())
        }
        None => line.to_owned(),
    });
    moved.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_sample_file_is_read_without_complaint() {
    let secrets = TempDir::new().unwrap();
    let source = Source::new([], Some((PathBuf::from("sample"), sample(&secrets)))).unwrap();
    assert_eq!(source.finish(), Ok(()));
    assert_eq!(source.text(&settings::GLPI_URL).as_deref(), Some("https://glpi.example.org"));
}

#[test]
fn the_sample_file_shows_every_setting_and_its_default() {
    let secrets = TempDir::new().unwrap();
    // Lines such as `#entity = 3` are settings left unset; `# Words` are comments.
    let sample = sample(&secrets);
    let complete: Vec<&str> = sample
        .lines()
        .map(|line| line.strip_prefix('#').filter(|unset| !unset.starts_with(' ')).unwrap_or(line))
        .collect();
    let source = Source::new([], Some((PathBuf::from("sample"), complete.join("\n")))).unwrap();
    assert_eq!(source.finish(), Ok(()));
    for (shown, setting) in source.effective().iter().zip(settings::ALL) {
        // The file cannot name itself.
        if setting.name == settings::AUTOMATGLPI_CONFIG.name {
            continue;
        }
        assert!(shown.origin.contains("sample"), "{} is in the sample", setting.name);
        if let (Some(default), false) = (setting.default, setting.secret) {
            assert_eq!(shown.value, default, "{}", setting.name);
        }
    }
}
