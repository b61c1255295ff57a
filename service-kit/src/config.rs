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

use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use secrecy::SecretString;

use crate::settings::{self, Setting};

mod layers;

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

impl Source {
    /// Reads the process's environment and the file that `flag` (of `--config`), or else
    /// `AUTOMATGLPI_CONFIG`, names. Nothing else in the product reads the environment.
    pub fn from_process(flag: Option<&Path>) -> Result<Self, ConfigError> {
        let mut environment = Vec::new();
        let mut illegible = Vec::new();
        for (name, value) in std::env::vars_os() {
            // All our names are ASCII, so one that is not Unicode is not ours.
            let Some(name) = name.to_str().map(str::to_owned) else { continue };
            match value.to_str() {
                Some(value) => environment.push((name, value.to_owned())),
                None if layers::is_ours(&name) => illegible.push(name),
                None => {}
            }
        }

        let variable = settings::AUTOMATGLPI_CONFIG.name;
        let named = environment.iter().find(|(name, value)| name == variable && !value.is_empty());
        let path = flag.map(Path::to_owned).or_else(|| named.map(|(_, path)| path.into()));
        let named_by = if flag.is_some() { "--config" } else { variable };
        let file = path.map(|path| match fs::read_to_string(&path) {
            Ok(text) => Ok((path, text)),
            Err(error) => Err(ConfigError(vec![format!(
                "{named_by} names a file that cannot be read: {}: {error}",
                path.display()
            )])),
        });

        let source = Self::new(environment, file.transpose()?)?;
        for name in illegible {
            source.problem(format!("{name} (environment) should be Unicode text"));
        }
        Ok(match flag {
            Some(path) => source.with(&settings::AUTOMATGLPI_CONFIG, path.display().to_string()),
            None => source,
        })
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
            let place = layers::file_name(setting);
            self.problem(format!("{} is missing (in a file: {place})", setting.name));
            String::new()
        })
    }

    /// The setting's secret, if it is set. Never empty.
    pub fn secret(&self, setting: &Setting) -> Option<SecretString> {
        self.text(setting).filter(|text| !text.is_empty()).map(SecretString::from)
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
        let parsed =
            self.text(setting).and_then(|text| humantime::parse_duration(text.trim()).ok());
        parsed.unwrap_or_else(|| {
            self.wrong(setting, "a duration such as 4s, 500ms or 30d");
            Duration::ZERO
        })
    }

    /// As [`Self::duration`], of a setting without a default: `None` if it is unset.
    pub fn duration_if_set(&self, setting: &Setting) -> Option<Duration> {
        self.text(setting).map(|_| self.duration(setting))
    }

    /// As [`Self::duration`]; noted as wrong if it is zero.
    pub fn positive_duration(&self, setting: &Setting) -> Duration {
        let duration = self.duration(setting);
        let is_zero = humantime::parse_duration(self.text(setting).unwrap_or_default().trim())
            .is_ok_and(|duration| duration.is_zero());
        if is_zero {
            self.wrong(setting, "longer than nothing");
        }
        duration
    }

    /// Notes a secret that no HTTP header can carry, such as one with a line break or an accent.
    pub fn must_fit_a_header(&self, setting: &Setting) {
        let text = self.text(setting).unwrap_or_default();
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            self.wrong(setting, "letters, digits and signs of ASCII without blanks");
        }
    }

    /// The setting's address to listen on. The setting must have a default.
    pub fn addr(&self, setting: &Setting) -> SocketAddr {
        self.parse(setting, "an address and port such as 127.0.0.1:8080")
            .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Which of two words the setting is: 0 or 1. The setting must have a default.
    pub fn choice(&self, setting: &Setting, words: [&str; 2]) -> usize {
        let text = self.required_text(setting);
        words.iter().position(|word| *word == text.trim()).unwrap_or_else(|| {
            self.wrong(setting, &format!("{} or {}", words[0], words[1]));
            0
        })
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

    /// As [`Self::file`], of one that must hold certificates in PEM: a key alone would be taken for
    /// trust in nobody.
    pub fn certificates(&self, setting: &Setting) -> Option<Vec<u8>> {
        let pem = self.file(setting)?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let fault = match found {
            Ok(certificates) if certificates.is_empty() => "this one holds no certificate",
            Ok(_) => return Some(pem),
            Err(_) => "this one is damaged",
        };
        self.wrong(setting, &format!("a PEM file with certificates; {fault}"));
        None
    }

    /// Notes that a setting's value is not what it should be.
    pub fn wrong(&self, setting: &Setting, expected: &str) {
        let (shown, origin) = match self.values.get(setting.name) {
            Some(value) if is_secret(setting, value) => (String::new(), value.origin.as_str()),
            Some(value) => (format!(" “{}”", value.text), value.origin.as_str()),
            None => (String::new(), "default"),
        };
        self.problem(format!("{}{shown} ({origin}) should be {expected}", setting.name));
    }

    /// Notes what is wrong with one line of a setting of many lines.
    pub fn wrong_in(&self, setting: &Setting, line: usize, why: &str) {
        let origin = self.values.get(setting.name).map_or("default", |value| value.origin.as_str());
        self.problem(format!("{} ({origin}), line {line}: {why}", setting.name));
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
                Some(value) if is_secret(setting, value) => MASKED.into(),
                Some(value) => value.text.clone(),
                None => setting.default.unwrap_or_default().into(),
            };
            Effective { name: setting.name, value, origin }
        };
        settings::ALL.iter().map(effective).collect()
    }

    /// Once, however often the setting is read: the two listeners share some.
    fn problem(&self, problem: String) {
        let mut problems = self.problems.borrow_mut();
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
}

/// Secrets, and addresses that somebody put a password into.
fn is_secret(setting: &Setting, value: &Value) -> bool {
    setting.secret || value.text.contains("://") && value.text.contains('@')
}
