//! The sentences that callers hear, in their language.
//!
//! Every sentence is one line, fit to be spoken by a voice agent: no jargon,
//! no markup, numbers without grouping. The texts are in `locales/`, one file
//! per language, and are embedded in the program.

mod language;
mod sentence;

pub use language::{Language, UnknownLanguage};
pub use sentence::{Sentence, say};
