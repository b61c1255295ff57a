//! Reads settings from the environment and, below it, from a TOML file.
//!
//! Nothing is refused at once: what is missing or wrong is noted, and [`Source::finish`] tells all
//! of it, one line each, with the place where it stands.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fmt, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use secrecy::SecretString;

use crate::settings::{self, Setting};

/// Where settings come from.
#[derive(Debug)]
pub struct Source {
    /// Setting name → its value and origin, for settings that are set.
    values: BTreeMap<&'static str, Value>,
    problems: RefCell<Vec<String>>,
}

struct Value {
    text: String,
    origin: String,
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "from {}", self.origin)
    }
}

/// Everything that is wrong with the configuration, one line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the configuration is wrong:\n  {}", .0.join("\n  "))]
pub struct ConfigError(pub Vec<String>);

/// A setting as it takes effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// Its name.
    pub name: &'static str,
    /// Its value; dots for a secret, empty if unset.
    pub value: String,
    /// Where it comes from.
    pub origin: String,
}

/// Shown instead of a secret.
const MASKED: &str = "••••";

/// A mistyped name is corrected if a known one is at most this many letters away.
const NEAREST: usize = 4;

impl Source {
    /// Reads the process's environment and the file that `flag`, or else `AUTOMATGLPI_CONFIG`,
    /// names.
    pub fn from_process(flag: Option<&Path>) -> Result<Self, ConfigError> {
        let environment: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let named = environment
            .iter()
            .find(|(name, value)| name == settings::AUTOMATGLPI_CONFIG.name && !value.is_empty())
            .map(|(_, path)| PathBuf::from(path));
        let file = flag.map(Path::to_owned).or(named).map(|path| {
            let text = fs::read_to_string(&path).map_err(|error| {
                ConfigError(vec![format!("cannot read {}: {error}", path.display())])
            })?;
            Ok((path, text))
        });
        Self::new(environment, file.transpose()?)
    }

    /// Reads these variables and this file.
    pub fn new(
        environment: impl IntoIterator<Item = (String, String)>,
        file: Option<(PathBuf, String)>,
    ) -> Result<Self, ConfigError> {
        let source = Self { values: BTreeMap::new(), problems: RefCell::default() };
        let source = source.with_environment(environment);
        match file {
            Some((path, text)) => source.with_file(&path, &text),
            None => Ok(source),
        }
    }

    /// Replaces a setting, as by an option of the command line.
    #[must_use]
    pub fn with(mut self, setting: &Setting, text: impl Into<String>) -> Self {
        let value = Value { text: text.into(), origin: "command line".into() };
        self.values.insert(setting.name, value);
        self
    }

    /// The setting's text or default.
    pub fn text(&self, setting: &Setting) -> Option<String> {
        let set = self.values.get(setting.name).map(|value| value.text.clone());
        set.or_else(|| setting.default.map(str::to_owned))
    }

    /// As [`Self::text`]; noted as missing if there is neither.
    pub fn required_text(&self, setting: &Setting) -> String {
        self.text(setting).unwrap_or_else(|| {
            let (table, key) = setting.file_key();
            let place = table.map_or(key.clone(), |table| format!("[{table}] {key}"));
            let problem = format!("{} is missing (in a file: {place})", setting.name);
            self.problems.borrow_mut().push(problem);
            String::new()
        })
    }

    /// The setting's secret, if it is set.
    pub fn secret(&self, setting: &Setting) -> Option<SecretString> {
        self.text(setting).map(SecretString::from)
    }

    /// As [`Self::secret`]; noted as missing if it is not set.
    pub fn required_secret(&self, setting: &Setting) -> SecretString {
        SecretString::from(self.required_text(setting))
    }

    /// The setting's value or default, parsed; `expected` says what it should look like.
    pub fn parse<T: FromStr>(&self, setting: &Setting, expected: &str) -> Option<T> {
        let parsed = self.text(setting)?.trim().parse().ok();
        if parsed.is_none() {
            self.wrong(setting, expected);
        }
        parsed
    }

    /// The setting's duration, such as `4s`, `500ms`, `30d`. The setting must have a default.
    pub fn duration(&self, setting: &Setting) -> Duration {
        let parsed = self.text(setting).and_then(|text| humantime::parse_duration(&text).ok());
        parsed.unwrap_or_else(|| {
            self.wrong(setting, "a duration such as 4s, 500ms or 30d");
            Duration::ZERO
        })
    }

    /// The setting's address to listen on. The setting must have a default.
    pub fn addr(&self, setting: &Setting) -> SocketAddr {
        self.parse(setting, "an address and port such as 127.0.0.1:8080")
            .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// The content of the file that the setting names.
    pub fn file(&self, setting: &Setting) -> Option<Vec<u8>> {
        let path = self.text(setting)?;
        match fs::read(&path) {
            Ok(content) => Some(content),
            Err(error) => {
                self.wrong(setting, &format!("a readable file ({error})"));
                None
            }
        }
    }

    /// Notes that a setting's value is not what it should be.
    pub fn wrong(&self, setting: &Setting, expected: &str) {
        let (shown, origin) = match self.values.get(setting.name) {
            Some(value) if setting.secret => (String::new(), value.origin.as_str()),
            Some(value) => (format!(" “{}”", value.text), value.origin.as_str()),
            None => (String::new(), "default"),
        };
        let problem = format!("{}{shown} ({origin}) should be {expected}", setting.name);
        self.problems.borrow_mut().push(problem);
    }

    /// Tells everything that was found wrong.
    pub fn finish(&self) -> Result<(), ConfigError> {
        let problems = self.problems.borrow();
        if problems.is_empty() { Ok(()) } else { Err(ConfigError(problems.clone())) }
    }

    /// Every setting as it takes effect, secrets masked.
    pub fn effective(&self) -> Vec<Effective> {
        let effective = |setting: &Setting| {
            let value = self.values.get(setting.name);
            let origin = match (value, setting.default) {
                (Some(value), _) => value.origin.clone(),
                (None, Some(_)) => "default".into(),
                (None, None) => "unset".into(),
            };
            let value = match value {
                Some(_) if setting.secret => MASKED.into(),
                Some(value) => value.text.clone(),
                None => setting.default.unwrap_or_default().into(),
            };
            Effective { name: setting.name, value, origin }
        };
        settings::ALL.iter().map(effective).collect()
    }

    fn with_environment(mut self, environment: impl IntoIterator<Item = (String, String)>) -> Self {
        let ours = environment.into_iter().filter(|(name, value)| {
            let is_ours = name.starts_with("AUTOMATGLPI_") || name.starts_with("GLPI_");
            // Tests are told of their database by such a name.
            is_ours && !name.starts_with("AUTOMATGLPI_TEST_") && !value.is_empty()
        });
        for (name, value) in ours {
            if let Some(setting) = known(&name) {
                self.set(setting, value, "environment".into());
            } else if let Some(setting) = name.strip_suffix("_FILE").and_then(known_secret) {
                self.set_from_file(setting, &name, &value);
            } else {
                let names = settings::ALL.iter().map(|setting| setting.name.to_owned());
                self.unknown(&format!("{name} (environment)"), &name, names);
            }
        }
        self
    }

    fn with_file(mut self, path: &Path, text: &str) -> Result<Self, ConfigError> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            ConfigError(vec![format!("{} is not TOML: {}", path.display(), error.message())])
        })?;
        for (key, value) in table {
            match value {
                toml::Value::Table(section) => {
                    for (inner, value) in section {
                        self.set_file_key(path, Some(&key), &inner, &value);
                    }
                }
                value => self.set_file_key(path, None, &key, &value),
            }
        }
        Ok(self)
    }

    fn set_file_key(&mut self, path: &Path, table: Option<&str>, key: &str, value: &toml::Value) {
        let is_named = |setting: &&Setting| setting.file_key() == (static_table(table), key.into());
        let origin = format!("{}, {}", path.display(), place(table, key));
        let known_table = table.is_none() || table == Some("glpi");
        if let Some(setting) = settings::ALL.iter().filter(|_| known_table).find(is_named) {
            let text = match value {
                toml::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            // The environment stands above the file.
            if !text.is_empty() && !self.values.contains_key(setting.name) {
                self.set(setting, text, origin);
            }
            return;
        }
        let file_secret = key.strip_suffix("_file").and_then(|stem| {
            settings::ALL
                .iter()
                .filter(|setting| known_table && setting.secret)
                .find(|setting| setting.file_key() == (static_table(table), stem.to_owned()))
        });
        if let (Some(setting), toml::Value::String(file)) = (file_secret, value) {
            if !self.values.contains_key(setting.name) {
                self.set_from_file(setting, &origin, file);
            }
            return;
        }
        let names = settings::ALL.iter().map(|setting| {
            let (table, key) = setting.file_key();
            place(table, &key)
        });
        self.unknown(&origin, &place(table, key), names);
    }

    fn set(&mut self, setting: &Setting, text: String, origin: String) {
        if let Some(earlier) = self.values.get(setting.name) {
            let problem = format!("{} is set twice: {} and {origin}", setting.name, earlier.origin);
            self.problems.borrow_mut().push(problem);
            return;
        }
        self.values.insert(setting.name, Value { text, origin });
    }

    fn set_from_file(&mut self, setting: &Setting, name: &str, file: &str) {
        match fs::read_to_string(file) {
            Ok(text) => {
                let text = text.trim_end_matches(['\n', '\r']).to_owned();
                self.set(setting, text, format!("file named by {name}"));
            }
            Err(error) => {
                let problem = format!("{name} names a file that cannot be read: {error}");
                self.problems.borrow_mut().push(problem);
            }
        }
    }

    fn unknown(&self, shown: &str, name: &str, names: impl Iterator<Item = String>) {
        let nearest = names
            .map(|known| (strsim::damerau_levenshtein(&known, name), known))
            .min()
            .filter(|(distance, _)| *distance <= NEAREST);
        let hint = nearest.map(|(_, known)| format!("; did you mean {known}?"));
        let problem = format!("{shown} is not a setting{}", hint.unwrap_or_default());
        self.problems.borrow_mut().push(problem);
    }
}

fn known(name: &str) -> Option<&'static Setting> {
    settings::ALL.iter().find(|setting| setting.name == name)
}

fn known_secret(name: &str) -> Option<&'static Setting> {
    known(name).filter(|setting| setting.secret)
}

fn static_table(table: Option<&str>) -> Option<&'static str> {
    table.map(|_| "glpi")
}

fn place(table: Option<&str>, key: &str) -> String {
    table.map_or_else(|| key.to_owned(), |table| format!("[{table}] {key}"))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn source(environment: &[(&str, &str)], file: Option<&str>) -> Source {
        let environment =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let file = file.map(|text| (PathBuf::from("sample.toml"), text.to_owned()));
        Source::new(environment, file).unwrap()
    }

    #[test]
    fn the_environment_stands_above_the_file_and_the_file_above_the_default() {
        let file = "answer_within = \"2s\"\nlanguage = \"en\"\n[glpi]\nurl = \"https://glpi\"";
        let source = source(&[("AUTOMATGLPI_LANGUAGE", "de")], Some(file));
        assert_eq!(source.text(&settings::AUTOMATGLPI_LANGUAGE).unwrap(), "de");
        assert_eq!(source.duration(&settings::AUTOMATGLPI_ANSWER_WITHIN).as_secs(), 2);
        assert_eq!(source.required_text(&settings::GLPI_URL), "https://glpi");
        assert_eq!(source.duration(&settings::GLPI_REQUEST_TIMEOUT).as_secs(), 10);
        assert_eq!(source.finish(), Ok(()));
    }

    #[test]
    fn everything_wrong_is_told_at_once_with_its_place() {
        let environment = [
            ("GLPI_URI", "x"),
            ("AUTOMATGLPI_ANSWER_WITHIN", "soon"),
            ("AUTOMATGLPI_HTTP_LISTEN", "8080"),
        ];
        let source =
            source(&environment, Some("langage = \"fr\"\n[glpi]\nmax_in_flight = \"many\""));
        source.duration(&settings::AUTOMATGLPI_ANSWER_WITHIN);
        source.addr(&settings::AUTOMATGLPI_HTTP_LISTEN);
        source.parse::<usize>(&settings::GLPI_MAX_IN_FLIGHT, "a number");
        source.required_secret(&settings::GLPI_APP_TOKEN);
        let ConfigError(problems) = source.finish().unwrap_err();
        assert_eq!(
            problems,
            [
                "GLPI_URI (environment) is not a setting; did you mean GLPI_URL?",
                "sample.toml, langage is not a setting; did you mean language?",
                "AUTOMATGLPI_ANSWER_WITHIN “soon” (environment) should be a duration such as 4s, 500ms or 30d",
                "AUTOMATGLPI_HTTP_LISTEN “8080” (environment) should be an address and port such as 127.0.0.1:8080",
                "GLPI_MAX_IN_FLIGHT “many” (sample.toml, [glpi] max_in_flight) should be a number",
                "GLPI_APP_TOKEN is missing (in a file: [glpi] app_token)",
            ]
        );
    }

    #[test]
    fn a_secret_comes_from_a_file_and_is_never_shown() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "s3cret\n").unwrap();
        let path = file.path().to_str().unwrap();
        let source = source(&[("GLPI_APP_TOKEN_FILE", path)], None);
        assert_eq!(source.required_secret(&settings::GLPI_APP_TOKEN).expose_secret(), "s3cret");
        source.wrong(&settings::GLPI_APP_TOKEN, "something else");
        let told = format!("{:?} {:?} {:?}", source.effective(), source, source.finish());
        assert!(!told.contains("s3cret"), "{told}");
        assert!(told.contains(MASKED));
    }

    #[test]
    fn a_secret_set_twice_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        fs::write(file.path(), "b").unwrap();
        let source = source(&[("GLPI_APP_TOKEN", "a"), ("GLPI_APP_TOKEN_FILE", path)], None);
        assert!(source.finish().unwrap_err().to_string().contains("set twice"));
    }

    #[test]
    fn an_empty_variable_is_unset() {
        let source = source(&[("AUTOMATGLPI_LANGUAGE", "")], None);
        assert_eq!(source.text(&settings::AUTOMATGLPI_LANGUAGE).unwrap(), "fr");
    }
}
