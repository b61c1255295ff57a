//! The sentences that callers hear, in their language.
