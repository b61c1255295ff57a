//! Where a setting may stand: in a variable, below it in the file, and, for secrets, in a file that
//! either of them names.

use std::{fs, path::Path};

use super::{ConfigError, Source, Value};
use crate::settings::{self, Setting};

/// A mistyped name is corrected if a known one is at most this many letters away.
const NEAREST: usize = 4;

impl Source {
    pub(super) fn with_environment(
        mut self,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        for (name, text) in environment {
            if !is_ours(&name) || text.is_empty() {
                continue;
            }
            match find(&name, variable_name, "_FILE") {
                Some((setting, Holds::Value)) => self.set(setting, text, "environment".into()),
                Some((setting, Holds::Path)) => self.set_from(&text, setting, &name),
                None => self.unknown(&format!("{name} (environment)"), &name, variable_name),
            }
        }
        self
    }

    pub(super) fn with_file(mut self, path: &Path, text: &str) -> Result<Self, ConfigError> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            // Not the error's own display: it quotes the line, which may hold a secret.
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let what = error.message();
            ConfigError(vec![format!("{}, line {line}, is not TOML: {what}", path.display())])
        })?;

        // The environment stands above the file.
        let above: Vec<&str> = self.values.keys().copied().collect();
        for (name, value) in entries(&table) {
            let origin = format!("{}, {name}", path.display());
            let text = match value {
                toml::Value::String(text) => Some(text.clone()),
                toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_) => {
                    Some(value.to_string())
                }
                toml::Value::Datetime(_) | toml::Value::Array(_) | toml::Value::Table(_) => None,
            };
            match (find(&name, file_name, "_file"), text) {
                (Some((setting, _)), _) if setting.name == settings::AUTOMATGLPI_CONFIG.name => {
                    self.problem(format!("{origin} can only be set in the environment"));
                }
                (Some((setting, _)), _) if above.contains(&setting.name) => {}
                (Some((setting, _)), None) => {
                    let name = setting.name;
                    self.problem(format!("{name} ({origin}) should be a text, number or boolean"));
                }
                (Some(_), Some(text)) if text.is_empty() => {}
                (Some((setting, Holds::Value)), Some(text)) => self.set(setting, text, origin),
                (Some((setting, Holds::Path)), Some(path)) => {
                    self.set_from(&path, setting, &origin);
                }
                (None, _) => self.unknown(&origin, &name, file_name),
            }
        }
        Ok(self)
    }

    fn set(&mut self, setting: &Setting, text: String, origin: String) {
        if let Some(earlier) = self.values.get(setting.name) {
            let (name, earlier) = (setting.name, &earlier.origin);
            self.problem(format!("{name} is set twice: {earlier} and {origin}"));
            return;
        }
        self.values.insert(setting.name, Value { text, origin });
    }

    /// Sets a secret to the content of a file, which `named_by` names.
    fn set_from(&mut self, file: &str, setting: &Setting, named_by: &str) {
        // Some editors begin a file with a mark that nobody sees.
        let content = fs::read_to_string(file).map(|text| match text.strip_prefix('\u{feff}') {
            Some(rest) => rest.to_owned(),
            None => text,
        });
        match &content {
            // An empty token would let everybody in.
            Ok(text) if text.trim().is_empty() => {
                self.problem(format!("{named_by} names a file that is empty"));
            }
            Ok(_) => {}
            Err(error) => {
                self.problem(format!("{named_by} names a file that cannot be read: {error}"));
            }
        }
        let content = content.unwrap_or_default();
        let text = content.trim_end_matches(['\n', '\r']);
        // Set even if it is no good, so that it is not told to be missing as well.
        self.set(setting, text.to_owned(), format!("file named by {named_by}"));
    }

    fn unknown(&self, shown: &str, name: &str, name_of: fn(&Setting) -> String) {
        let nearest = settings::ALL
            .iter()
            .map(|setting| (strsim::damerau_levenshtein(&name_of(setting), name), setting))
            .min_by_key(|(distance, _)| *distance)
            .filter(|(distance, _)| *distance <= NEAREST);
        let hint = nearest.map(|(_, known)| format!("; did you mean {}?", name_of(known)));
        self.problem(format!("{shown} is not a setting{}", hint.unwrap_or_default()));
    }
}

/// What a variable or key holds.
enum Holds {
    Value,
    /// The path of a file with the value: only for secrets.
    Path,
}

/// The setting that a name stands for.
fn find(
    name: &str,
    name_of: fn(&Setting) -> String,
    path_suffix: &str,
) -> Option<(&'static Setting, Holds)> {
    settings::ALL.iter().find_map(|setting| match name.strip_prefix(&name_of(setting))? {
        "" => Some((setting, Holds::Value)),
        suffix if setting.secret && suffix == path_suffix => Some((setting, Holds::Path)),
        _ => None,
    })
}

/// Names that must be known. Tests are told of their database by such a name.
pub(super) fn is_ours(name: &str) -> bool {
    let ours = name.starts_with("AUTOMATGLPI_") || name.starts_with("GLPI_");
    ours && !name.starts_with("AUTOMATGLPI_TEST_")
}

fn variable_name(setting: &Setting) -> String {
    setting.name.to_owned()
}

pub(super) fn file_name(setting: &Setting) -> String {
    let (table, key) = setting.file_key();
    table.map_or(key.clone(), |table| format!("[{table}] {key}"))
}

/// The file's values, named as [`file_name`] does.
fn entries(file: &toml::Table) -> Vec<(String, &toml::Value)> {
    let mut entries = Vec::new();
    for (key, value) in file {
        match value {
            toml::Value::Table(table) => {
                entries
                    .extend(table.iter().map(|(inner, value)| (format!("[{key}] {inner}"), value)));
            }
            value => entries.push((key.clone(), value)),
        }
    }
    entries
}
