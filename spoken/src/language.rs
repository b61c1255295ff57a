//! The languages that can be spoken.

use std::{fmt, str::FromStr};

use unic_langid::LanguageIdentifier;

/// Every language that can be chosen. Regional ones stand after their language,
/// whose texts they share.
const SPOKEN: &[&str] =
    &["fr", "fr-BE", "fr-CA", "en", "es", "de", "it", "nl", "pl", "ar", "pt", "el", "hr", "zh"];

/// A language that callers can be answered in. French by default.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Language(&'static str);

impl Language {
    /// Every language there is.
    pub fn all() -> impl Iterator<Item = Self> {
        SPOKEN.iter().copied().map(Self)
    }

    /// The wanted language if it is spoken here, else the default.
    pub fn choose(wanted: Option<&str>, default: &Self) -> Self {
        wanted.and_then(|tag| tag.parse().ok()).unwrap_or_else(|| default.clone())
    }

    /// The BCP 47 tag, such as `fr-CA`.
    pub fn as_str(&self) -> &'static str {
        self.0
    }

    pub(crate) fn identifier(&self) -> LanguageIdentifier {
        self.0.parse().expect("every tag of the list is well-formed")
    }
}

impl Default for Language {
    fn default() -> Self {
        Self("fr")
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A language that is not spoken here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownLanguage;

impl fmt::Display for UnknownLanguage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected one of {}", SPOKEN.join(", "))
    }
}

impl std::error::Error for UnknownLanguage {}

/// Reads a BCP 47 tag leniently: any case, `_` for `-`, surrounding blanks, and
/// POSIX spellings such as `fr_FR.UTF-8`. A region or script without texts of
/// its own means its language: `en-GB` is `en`.
impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(text: &str) -> Result<Self, UnknownLanguage> {
        let tag = text.trim().split(['.', '@']).next().unwrap_or_default().replace('_', "-");
        let language = tag.split('-').next().unwrap_or_default();
        [tag.as_str(), language]
            .into_iter()
            .find_map(|wanted| SPOKEN.iter().find(|spoken| spoken.eq_ignore_ascii_case(wanted)))
            .map(|spoken| Self(spoken))
            .ok_or(UnknownLanguage)
    }
}

#[cfg(test)]
mod tests {
    use super::Language;

    fn chosen(wanted: &str) -> &'static str {
        Language::choose(Some(wanted), &Language("el")).as_str()
    }

    #[test]
    fn tags_are_read_leniently() {
        for (wanted, expected) in [
            ("fr", "fr"),
            (" FR_ca ", "fr-CA"),
            ("fr-FR", "fr"),
            ("fr_BE.UTF-8", "fr-BE"),
            ("en-GB", "en"),
            ("zh-Hans-CN", "zh"),
            ("pt-br", "pt"),
        ] {
            assert_eq!(chosen(wanted), expected, "{wanted:?}");
        }
    }

    #[test]
    fn an_unknown_language_is_the_default() {
        for wanted in ["", "tlh", "français", "-", "\u{202e}fr", "frfrfr"] {
            assert_eq!(chosen(wanted), "el", "{wanted:?}");
        }
        assert_eq!(Language::choose(None, &Language::default()).as_str(), "fr");
    }
}
