//! A webhook's payload exactly as it was sent, whatever its form.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};

/// One value of a payload. Numbers and booleans are texts: voice agents send
/// strings for anything, and none of it is trusted before it is parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// `null`, or nothing at all.
    Empty,
    /// Anything that can be written on a line.
    Text(String),
    /// Several values.
    List(Vec<Self>),
    /// Named values in the order sent. A name may occur twice, and a text sent
    /// without a name stands under the empty one.
    Fields(Vec<(String, Self)>),
}

/// Why a payload cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// It claims to be JSON, or looks like it, and is not.
    NotJson,
    /// It is of a type that is not taken, such as an upload, or no text at all.
    UnsupportedType,
}

/// Reads the fields of a request, those of the body before those of the query.
///
/// JSON is recognised by its look as well as by its type, since `curl -d` and
/// some agents send it as a form. Anything that is neither JSON nor a form is
/// the caller's words.
pub(crate) fn read(
    content_type: &str,
    query: &str,
    body: &[u8],
) -> Result<Vec<(String, Node)>, Unreadable> {
    let mut fields = match read_body(content_type, body)? {
        Node::Empty => Vec::new(),
        Node::Fields(fields) => fields,
        words @ (Node::Text(_) | Node::List(_)) => vec![(String::new(), words)],
    };
    fields.extend(form(query));
    Ok(fields)
}

/// Reads a text that holds a JSON object, as some agents wrap arguments.
pub(crate) fn nested_json(text: &str) -> Option<Vec<(String, Node)>> {
    if !text.starts_with('{') {
        return None;
    }
    match serde_json::from_str(text).ok()? {
        Node::Fields(fields) => Some(fields),
        Node::Empty | Node::Text(_) | Node::List(_) => None,
    }
}

fn read_body(content_type: &str, body: &[u8]) -> Result<Node, Unreadable> {
    let content_type = content_type.to_ascii_lowercase();
    if content_type.starts_with("multipart/") {
        return Err(Unreadable::UnsupportedType);
    }
    let text = decode(body);
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Ok(Node::Empty);
    }
    let is_json = content_type.contains("json");
    if is_json || text.starts_with(['{', '[', '"']) {
        match serde_json::from_str::<Node>(text) {
            // Words in quotes may be JSON once more.
            Ok(Node::Text(inner)) => {
                return Ok(nested_json(&inner).map_or(Node::Text(inner), Node::Fields));
            }
            Ok(node) => return Ok(alone(node)),
            Err(_) if let Ok(node) = serde_json::from_str::<Node>(&super::mend::mended(text)) => {
                return Ok(alone(node));
            }
            Err(_) if is_json || text.starts_with('{') => return Err(Unreadable::NotJson),
            Err(_) => {}
        }
    }
    if is_binary(text) {
        return Err(Unreadable::UnsupportedType);
    }
    if content_type.contains("form-urlencoded") && text.contains('=') {
        return Ok(Node::Fields(form(text)));
    }
    Ok(Node::Text(text.to_owned()))
}

/// Whether nobody can have written this: a file, something compressed, a sound. One character in
/// ten may be odd, as are the quotation marks of Windows-1252.
fn is_binary(text: &str) -> bool {
    let odd = text.chars().filter(|c| c.is_control() && !c.is_whitespace()).count();
    text.contains('\0') || odd * 10 > text.chars().count()
}

/// A list of one object is that object.
fn alone(node: Node) -> Node {
    match node {
        Node::List(mut items) if items.len() == 1 && matches!(items[0], Node::Fields(_)) => {
            items.remove(0)
        }
        node => node,
    }
}

/// Splits a form or query. What stands between two `&` without a `=` is most
/// likely an ampersand somebody forgot to escape, and is kept as nameless words.
fn form(text: &str) -> Vec<(String, Node)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) => (unescape(name), Node::Text(unescape(value))),
            None => (String::new(), Node::Text(unescape(pair))),
        })
        .collect()
}

/// Undoes `application/x-www-form-urlencoded`; a `%` that escapes nothing stays.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match (first, tail) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high << 4 | low);
                    rest = after;
                }
                _ => bytes.push(b'%'),
            },
            _ => bytes.push(first),
        }
    }
    decode(&bytes)
}

fn hex(digit: u8) -> Option<u8> {
    // At most 15, so it fits.
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Decodes UTF-8; bytes that are not are taken for Latin-1, so that no letter of
/// a caller's words is lost to a wrongly labelled encoding.
fn decode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().copied().map(char::from));
    }
    text
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyNode)
    }
}

/// Takes every JSON value, and every occurrence of a repeated name.
struct AnyNode;

impl<'de> Visitor<'de> for AnyNode {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Empty)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Node, E> {
        Ok(Node::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut fields = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            fields.push(entry);
        }
        Ok(Node::Fields(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "application/x-www-form-urlencoded";

    fn text(text: &str) -> Node {
        Node::Text(text.to_owned())
    }

    fn fields(pairs: &[(&str, &str)]) -> Vec<(String, Node)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), text(value))).collect()
    }

    #[test]
    fn json_form_and_query_say_the_same() {
        let expected = fields(&[("nom", "Marie Dupont"), ("urgency", "4")]);
        for (content_type, query, body) in [
            ("application/json", "", r#"{"nom":"Marie Dupont","urgency":4}"#),
            (FORM, "", r#" {"nom":"Marie Dupont","urgency":"4"}"#),
            ("", "", "\u{feff}{\"nom\":\"Marie Dupont\",\"urgency\":4}"),
            (FORM, "", "nom=Marie+Dupont&urgency=4"),
            ("", "nom=Marie%20Dupont&urgency=4", ""),
            ("application/json", "urgency=4", r#"{"nom":"Marie Dupont"}"#),
            ("application/json", "", r#""{\"nom\":\"Marie Dupont\",\"urgency\":4}""#),
        ] {
            assert_eq!(read(content_type, query, body.as_bytes()), Ok(expected.clone()), "{body}");
        }
    }

    #[test]
    fn whatever_is_neither_json_nor_a_form_is_the_callers_words() {
        let words = Ok(fields(&[("", "plus de réseau")]));
        assert_eq!(read("text/plain", "", "plus de réseau\n".as_bytes()), words);
        assert_eq!(read("", "", "plus de réseau".as_bytes()), words);
        assert_eq!(read(FORM, "", "plus de réseau".as_bytes()), words);
        assert_eq!(read("application/json", "", "\"plus de réseau\"".as_bytes()), words);
        assert_eq!(read("", "", b"[sic] perdu"), Ok(fields(&[("", "[sic] perdu")])));
    }

    #[test]
    fn letters_in_a_wrong_encoding_survive() {
        assert_eq!(
            read("application/json", "", b"{\"probleme\":\"bloqu\xe9e\"}"),
            Ok(fields(&[("probleme", "bloquée")]))
        );
        assert_eq!(read(FORM, "", b"p=bloqu%E9e"), Ok(fields(&[("p", "bloquée")])));
    }

    #[test]
    fn unescaped_ampersands_and_percents_lose_nothing() {
        assert_eq!(
            read(FORM, "", b"p=R&D is down, 100%&q=%zz"),
            Ok(fields(&[("p", "R"), ("", "D is down, 100%"), ("q", "%zz")]))
        );
    }

    #[test]
    fn a_repeated_name_keeps_both_values() {
        assert_eq!(
            read("application/json", "", br#"{"p":"a","p":"b"}"#),
            Ok(fields(&[("p", "a"), ("p", "b")]))
        );
    }

    #[test]
    fn what_claims_to_be_json_and_is_not_is_unreadable() {
        for body in ["{", "nom=x", "{\"a\":}", &"[".repeat(100_000)] {
            let read = read("application/json", "", body.as_bytes());
            assert_eq!(read, Err(Unreadable::NotJson), "{body:.20}");
        }
        assert_eq!(
            read("multipart/form-data; boundary=x", "", b"--x"),
            Err(Unreadable::UnsupportedType)
        );
    }

    #[test]
    fn what_nobody_can_have_written_is_no_text() {
        let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x2b\x48\xcc\xcb\x4c\x05\0";
        let noise: Vec<u8> = (1..=255).collect();
        for body in [&gzip[..], &noise, b"RIFF\0\0\0\0WAVE", b"panne\0"] {
            for content_type in ["", "text/plain", "application/octet-stream", FORM] {
                let read = read(content_type, "", body);
                assert_eq!(read, Err(Unreadable::UnsupportedType), "{content_type} {body:?}");
            }
        }
        let quoted = b"l'\x93imprimante\x94 du 2e \x85 est bloqu\xe9e\r\n\tdepuis hier";
        assert!(read("text/plain", "", quoted).is_ok());
    }

    #[test]
    fn nothing_is_no_field() {
        for body in ["", " ", "null", "\u{feff}"] {
            assert_eq!(read("application/json", "", body.as_bytes()), Ok(vec![]), "{body:?}");
        }
    }
}
