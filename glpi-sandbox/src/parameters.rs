//! PHP's reading of a query string or form: brackets make arrays.

use serde_json::{Map, Value};

/// The parameters of a request, from its query, its body and its headers.
pub(crate) type Parameters = Map<String, Value>;

/// What PHP's `parse_str` makes of `a[0][b]=c&d=e`.
///
/// Arrays come out as objects keyed by text, as PHP's are; `a[]=` takes the
/// next free number.
pub(crate) fn parse(query: &str) -> Parameters {
    let mut parameters = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = percent_decode(name);
        let (root, path) = split_brackets(&name);
        if !root.is_empty() {
            put(&mut parameters, root, &path, percent_decode(value));
        }
    }
    parameters
}

/// Whether a parameter is on, as PHP and GLPI's `filter_var` see it.
pub(crate) fn flag(parameters: &Parameters, name: &str, default: bool) -> bool {
    match parameters.get(name) {
        None => default,
        Some(Value::Bool(on)) => *on,
        Some(Value::Number(number)) => number.as_i64() != Some(0),
        Some(Value::String(text)) => matches!(text.as_str(), "1" | "true" | "on" | "yes"),
        Some(_) => false,
    }
}

/// A parameter that is a text and not empty.
pub(crate) fn text<'a>(parameters: &'a Parameters, name: &str) -> Option<&'a str> {
    parameters.get(name)?.as_str().filter(|text| !text.is_empty() && *text != "0")
}

/// `a[0][b]` → `a`, `["0", "b"]`. An unclosed bracket belongs to the name.
fn split_brackets(name: &str) -> (&str, Vec<&str>) {
    let Some((root, mut rest)) = name.split_once('[') else { return (name, Vec::new()) };
    let mut path = Vec::new();
    while let Some((key, after)) = rest.split_once(']') {
        path.push(key);
        match after.strip_prefix('[') {
            Some(next) => rest = next,
            None => break,
        }
    }
    (root, path)
}

/// Deeper brackets than this are not followed; PHP has such a limit too.
const DEEPEST: usize = 32;

fn put(parameters: &mut Parameters, root: &str, path: &[&str], value: String) {
    let mut map = parameters;
    let mut key = root.to_owned();
    for next in path.iter().take(DEEPEST) {
        let slot = map.entry(key).or_insert_with(|| Value::Object(Map::new()));
        if !slot.is_object() {
            *slot = Value::Object(Map::new());
        }
        map = slot.as_object_mut().expect("made an object just above");
        key = if next.is_empty() { map.len().to_string() } else { (*next).to_owned() };
    }
    map.insert(key, Value::String(value));
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter();
    while let Some(&byte) = rest.next() {
        let digits = rest.as_slice();
        let escaped = match (byte, digits) {
            (b'%', [high, low, ..]) => hexadecimal(*high).zip(hexadecimal(*low)),
            _ => None,
        };
        match (byte, escaped) {
            (_, Some((high, low))) => {
                bytes.push(high << 4 | low);
                rest.nth(1);
            }
            (b'+', None) => bytes.push(b' '),
            (byte, None) => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn brackets_make_arrays_whether_encoded_or_not() {
        let parameters =
            parse("criteria[0][field]=1&criteria%5B0%5D%5Bvalue%5D=%5Ea+b%24&x[]=1&x[]=2&y");
        assert_eq!(
            Value::Object(parameters),
            json!({
                "criteria": {"0": {"field": "1", "value": "^a b$"}},
                "x": {"0": "1", "1": "2"},
                "y": "",
            })
        );
    }
}
