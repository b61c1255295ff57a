//! Text the way GLPI stores, compares and shortens it.

/// Encodes `<`, `>` and `&` as GLPI does before it stores a text.
///
/// A text that looks encoded already (an entity GLPI would have written, and
/// nothing left to encode) is kept as it is: that is how `5 &lt; 6` becomes
/// markup at display. Carriage returns are dropped.
pub(crate) fn encode(text: &str) -> String {
    let text = text.replace('\r', "");
    if looks_encoded(&text) {
        return text;
    }
    if !text.contains(['<', '>', '&']) {
        return text;
    }
    let mut encoded = String::with_capacity(text.len() + 32);
    for c in text.chars() {
        match c {
            '&' => encoded.push_str("&#38;"),
            '<' => encoded.push_str("&#60;"),
            '>' => encoded.push_str("&#62;"),
            c => encoded.push(c),
        }
    }
    encoded
}

/// Undoes [`encode`], with the guesses of GLPI's `Sanitizer`.
pub(crate) fn decode(text: &str) -> String {
    if !looks_encoded(text) {
        return text.to_owned();
    }
    let current = ["&#38;", "&#60;", "&#62;"];
    let mapping: &[(&str, &str)] = if current.iter().any(|entity| text.contains(entity)) {
        &[("&#38;", "&"), ("&#60;", "<"), ("&#62;", ">")]
    } else {
        &[("&lt;", "<"), ("&gt;", ">")]
    };
    // One pass, so that `&#38;lt;` becomes `&lt;` and stays so.
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, from_entity) = rest.split_at(at);
        decoded.push_str(before);
        let known = mapping
            .iter()
            .find_map(|(entity, plain)| Some((*plain, from_entity.strip_prefix(entity)?)));
        let (plain, after) =
            known.unwrap_or_else(|| ("&", from_entity.strip_prefix('&').unwrap_or_default()));
        decoded.push_str(plain);
        rest = after;
    }
    decoded.push_str(rest);
    decoded
}

fn looks_encoded(text: &str) -> bool {
    if !text.contains('&') || text.contains(['<', '>']) {
        return false;
    }
    let ampersands_begin_entities = text.split('&').skip(1).all(begins_entity);
    ampersands_begin_entities
        && ["&#38;", "&#60;", "&#62;", "&lt;", "&gt;"].iter().any(|entity| text.contains(entity))
}

/// Whether what follows an ampersand makes an entity, such as `#60;` or `eacute;`.
fn begins_entity(after: &str) -> bool {
    let name = after.strip_prefix('#').unwrap_or(after);
    name.split_once(';').is_some_and(|(name, _)| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric())
    })
}

/// The first `count` characters.
pub(crate) fn first_characters(text: &str, count: usize) -> String {
    text.chars().take(count).collect()
}

/// What PHP's `ltrim` leaves.
pub(crate) fn trim_start(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\n', '\r', '\0', '\u{b}'])
}

/// What GLPI's success messages make of a title: backslashes go, NUL too.
pub(crate) fn strip_slashes(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => kept.extend(characters.next()),
            '\0' => {}
            c => kept.push(c),
        }
    }
    kept
}

/// The words of an HTML text, for a title made from it.
pub(crate) fn words_of_html(html: &str) -> String {
    let mut plain = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((at, after)) = next_tag(rest) {
        plain.push_str(rest.split_at(at).0);
        plain.push(' ');
        rest = after;
    }
    plain.push_str(rest);
    let plain = plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let mut words = String::with_capacity(plain.len());
    let mut spaces = 0;
    for c in plain.chars() {
        // A run of white space becomes one space; a single one stays itself.
        if c.is_whitespace() {
            spaces += 1;
            if spaces == 2 {
                words.pop();
                words.push(' ');
            }
            if spaces > 1 {
                continue;
            }
        } else {
            spaces = 0;
        }
        words.push(c);
    }
    trim_start(&words).to_owned()
}

/// Whether GLPI takes the text for HTML, in which newlines mean nothing.
pub(crate) fn has_tag(text: &str) -> bool {
    next_tag(text).is_some()
}

/// The next thing that looks like a tag: where it begins and what follows it.
fn next_tag(text: &str) -> Option<(usize, &str)> {
    text.match_indices('<').find_map(|(at, _)| {
        let inside = text.split_at(at + 1).1;
        let name = inside.strip_prefix('/').unwrap_or(inside);
        name.starts_with(|c: char| c.is_ascii_alphabetic()).then_some(())?;
        Some((at, inside.split_once('>')?.1))
    })
}

/// Appends `text` without case and accents, as the database's collation compares.
pub(crate) fn fold_into(folded: &mut String, text: &str) {
    if text.is_ascii() {
        folded.push_str(text);
        folded.make_ascii_lowercase();
        return;
    }
    for c in text.chars() {
        if c.is_ascii() {
            folded.push(c.to_ascii_lowercase());
            continue;
        }
        for lower in c.to_lowercase() {
            match base_letters(lower) {
                Some(base) => folded.push_str(base),
                None => folded.push(lower),
            }
        }
    }
}

pub(crate) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    fold_into(&mut folded, text);
    folded
}

fn base_letters(lower: char) -> Option<&'static str> {
    Some(match lower {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ā' | 'ă' | 'ą' => "a",
        'æ' => "ae",
        'ç' | 'ć' | 'č' => "c",
        'ď' => "d",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ę' | 'ě' => "e",
        'ğ' => "g",
        'ì' | 'í' | 'î' | 'ï' | 'ī' => "i",
        'ñ' | 'ń' | 'ň' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ō' => "o",
        'œ' => "oe",
        'ř' => "r",
        'ś' | 'š' | 'ş' => "s",
        'ß' => "ss",
        'ù' | 'ú' | 'û' | 'ü' | 'ū' | 'ů' => "u",
        'ý' | 'ÿ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        _ => return None,
    })
}

/// A text GLPI was asked to find: `^` and `$` anchor it, `%` stands for anything.
#[derive(Debug)]
pub(crate) struct Pattern {
    segments: Vec<String>,
    from_start: bool,
    to_end: bool,
    /// `<`, `>` and `&` never match, because texts are stored encoded.
    hopeless: bool,
}

impl Pattern {
    pub(crate) fn new(wanted: &str) -> Self {
        let wanted = wanted.trim();
        let (from_start, rest) = match wanted.strip_prefix('^') {
            Some(rest) => (true, rest),
            None => (false, wanted),
        };
        let (to_end, rest) = match rest.strip_suffix('$') {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        Self {
            segments: rest.split('%').map(fold).collect(),
            from_start,
            to_end,
            hopeless: rest.contains(['<', '>', '&']),
        }
    }

    /// Whether `text` matches; `scratch` saves an allocation per text.
    pub(crate) fn matches(&self, text: &str, scratch: &mut String) -> bool {
        if self.hopeless {
            return false;
        }
        scratch.clear();
        fold_into(scratch, text);
        let mut rest = scratch.as_str();
        let last = self.segments.len() - 1;
        for (index, segment) in self.segments.iter().enumerate() {
            let starts_here = index == 0 && self.from_start;
            let ends_here = index == last && self.to_end;
            let after = match (starts_here, ends_here) {
                (true, true) => (rest == segment).then_some(""),
                (true, false) => rest.strip_prefix(segment.as_str()),
                (false, true) => rest.ends_with(segment.as_str()).then_some(""),
                (false, false) => {
                    rest.find(segment.as_str()).map(|at| rest.split_at(at + segment.len()).1)
                }
            };
            let Some(after) = after else { return false };
            rest = after;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_stored_and_read_back_as_recorded() {
        for (sent, stored, raw) in [
            ("a < b & c > d", "a &#60; b &#38; c &#62; d", "a < b & c > d"),
            (
                "&lt;p&gt;texte&lt;/p&gt; &amp; &eacute;",
                "&lt;p&gt;texte&lt;/p&gt; &amp; &eacute;",
                "<p>texte</p> &amp; &eacute;",
            ),
            ("&#60;p&#62;texte&#60;/p&#62;", "&#60;p&#62;texte&#60;/p&#62;", "<p>texte</p>"),
            (
                "<p>5 &lt; 6<br>x</p>",
                "&#60;p&#62;5 &#38;lt; 6&#60;br&#62;x&#60;/p&#62;",
                "<p>5 &lt; 6<br>x</p>",
            ),
            ("Tom &amp; Jerry &lt;b&gt;", "Tom &amp; Jerry &lt;b&gt;", "Tom &amp; Jerry <b>"),
            ("Ligne 1\r\nLigne 2", "Ligne 1\nLigne 2", "Ligne 1\nLigne 2"),
        ] {
            assert_eq!(encode(sent), stored);
            assert_eq!(decode(stored), raw);
        }
    }

    #[test]
    fn patterns_have_anchors_and_a_wildcard() {
        for (wanted, text, found) in [
            ("^[CALL-7f]", "[CALL-7f] Panne", true),
            ("^[call-7f]", "[CALL-7f] Panne", true),
            ("^[CALL-7f]", "Panne [CALL-7f]", false),
            ("^lot 1$", "lot 1", true),
            ("^lot 1$", "lot 12", false),
            ("lot%3", "lot 3", true),
            ("l_t 3", "lot 3", false),
            ("ENTITE CHAINE", "entité chaine", true),
            ("a < b", "a &#60; b", false),
            ("a &#60; b", "a &#60; b", false),
        ] {
            assert_eq!(Pattern::new(wanted).matches(text, &mut String::new()), found, "{wanted}");
        }
    }
}
