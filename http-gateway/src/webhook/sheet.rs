//! What a payload says, sorted: known fields and everything else.

use super::{
    names::{FieldNames, Known, Meaning},
    payload::{self, Node},
};

/// A value that was sent, under the name it was sent with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) label: String,
    pub(crate) value: String,
}

/// The fields of a payload, sorted by meaning. Nothing a caller said is dropped:
/// what has no meaning, or is said twice, becomes a line.
#[derive(Debug, Default)]
pub(crate) struct Sheet {
    known: Vec<(Known, Line)>,
    lines: Vec<Line>,
}

/// How deep envelopes may be nested in one another, and names in a label.
const DEEPEST: usize = 6;

/// What is read of a platform's record of the call beside its known fields. The
/// rest is bookkeeping, such as costs, links and access tokens.
const KEPT_OF_CALLS: &str = "transcript";

impl Sheet {
    /// Sorts the fields of a payload.
    pub(crate) fn sort(fields: Vec<(String, Node)>, names: &FieldNames) -> Self {
        let mut sheet = Self::default();
        sheet.open(fields, names, 0);
        sheet
    }

    /// Takes a known field out; its label is the name it was sent with.
    pub(crate) fn take(&mut self, known: Known) -> Option<Line> {
        let index = self.known.iter().position(|(sent, _)| *sent == known)?;
        Some(self.known.remove(index).1)
    }

    /// Puts back, as a line, a field that turned out not to be usable.
    pub(crate) fn keep(&mut self, line: Line) {
        self.lines.push(line);
    }

    /// What has not been taken.
    pub(crate) fn rest(self) -> Vec<Line> {
        let untaken = self.known.into_iter().map(|(_, line)| line);
        self.lines.into_iter().chain(untaken).collect()
    }

    fn open(&mut self, fields: Vec<(String, Node)>, names: &FieldNames, depth: usize) {
        let is_tool_call = fields.iter().any(|(name, node)| {
            names.meaning(name) == Some(Meaning::Arguments) && !matches!(node, Node::Empty)
        });
        for (name, node) in fields {
            if is_tool_call && name == "name" {
                self.name_beside_arguments(name, node);
            } else {
                self.add(name, node, names, depth);
            }
        }
    }

    /// Beside arguments, `name` is the tool's. People have blanks in theirs.
    fn name_beside_arguments(&mut self, name: String, node: Node) {
        match node {
            Node::Text(text) if text.trim().contains(char::is_whitespace) => {
                self.say(Known::Name, name, &text);
            }
            node => self.spell_out("tool", node, 0),
        }
    }

    fn add(&mut self, name: String, node: Node, names: &FieldNames, depth: usize) {
        let meaning = names.meaning(&name);
        match (meaning, node) {
            (_, Node::Empty) => {}
            // Of a forwarded request: nobody's words, and they may hold tokens.
            (_, Node::Fields(_)) if name.eq_ignore_ascii_case("headers") => {}
            (_, Node::Fields(fields)) if name.eq_ignore_ascii_case("body") && depth < DEEPEST => {
                self.open(fields, names, depth + 1);
            }
            (
                Some(Meaning::Arguments | Meaning::Envelope | Meaning::Person),
                Node::Fields(fields),
            ) if depth < DEEPEST => self.open(fields, names, depth + 1),
            (Some(Meaning::Call), Node::Fields(fields)) => self.open_call(fields, names),
            (Some(Meaning::Arguments | Meaning::Envelope), Node::List(items))
                if depth < DEEPEST =>
            {
                for item in items {
                    self.add(name.clone(), item, names, depth + 1);
                }
            }
            (Some(Meaning::Arguments | Meaning::Envelope), Node::Text(text)) if depth < DEEPEST => {
                match payload::nested_json(text.trim()) {
                    Some(fields) => self.open(fields, names, depth + 1),
                    None => self.spell_out(&name, Node::Text(text), 0),
                }
            }
            (Some(Meaning::Person), Node::Text(text)) => self.say(person(&text), name, &text),
            (Some(Meaning::Field(known)), Node::Text(text)) => self.say(known, name, &text),
            (Some(Meaning::Field(Known::Description)), node) => {
                self.say(Known::Description, name, &in_lines(&node));
            }
            (_, node) => self.spell_out(&name, node, 0),
        }
    }

    fn open_call(&mut self, fields: Vec<(String, Node)>, names: &FieldNames) {
        for (name, node) in fields {
            let known = match names.meaning(&name) {
                _ if name == "id" => Some(Known::CallId),
                Some(Meaning::Field(
                    known @ (Known::CallId
                    | Known::AgentId
                    | Known::FromNumber
                    | Known::ToNumber
                    | Known::StartTime),
                )) => Some(known),
                _ => None,
            };
            match (known, node) {
                (Some(known), Node::Text(text)) => self.say(known, name, &text),
                (None, Node::Text(text)) if name == KEPT_OF_CALLS => self.line(&name, &text),
                _ => {}
            }
        }
    }

    /// Records a known field. A second one that says something else is a line.
    fn say(&mut self, known: Known, label: String, text: &str) {
        let value = clean(text);
        if is_blank(&value) {
            return;
        }
        match self.known.iter().find(|(sent, _)| *sent == known) {
            None => self.known.push((known, Line { label, value })),
            Some((_, first)) if first.value == value => {}
            Some(_) => self.lines.push(Line { label, value }),
        }
    }

    fn line(&mut self, label: &str, text: &str) {
        let value = clean(text);
        if !is_blank(&value) {
            self.lines.push(Line { label: label.to_owned(), value });
        }
    }

    /// Makes lines of a value without a meaning: one per text in it.
    fn spell_out(&mut self, label: &str, node: Node, depth: usize) {
        match node {
            Node::Empty => {}
            Node::Text(text) => self.line(label, &text),
            Node::List(items) if items.iter().all(|item| matches!(item, Node::Text(_))) => {
                self.line(label, &in_lines(&Node::List(items)));
            }
            node if depth == DEEPEST => self.line(label, &in_lines(&node)),
            Node::List(items) => {
                for (item, number) in items.into_iter().zip(1..) {
                    self.spell_out(&format!("{label} {number}"), item, depth + 1);
                }
            }
            Node::Fields(fields) => {
                for (name, value) in fields {
                    self.spell_out(&format!("{label} {name}"), value, depth + 1);
                }
            }
        }
    }
}

/// What one text about a person is.
fn person(text: &str) -> Known {
    let is_number = text.chars().all(|c| c.is_ascii_digit() || "+-. ()".contains(c));
    if is_number {
        Known::FromNumber
    } else if text.contains('@') {
        Known::Email
    } else {
        Known::Name
    }
}

/// Everything in a value, one text a line, with its name before it.
fn in_lines(node: &Node) -> String {
    let mut lines = Vec::new();
    push_lines("", node, &mut lines);
    lines.join("\n")
}

fn push_lines(name: &str, node: &Node, lines: &mut Vec<String>) {
    match node {
        Node::Empty => {}
        Node::Text(text) if name.is_empty() => lines.push(text.clone()),
        Node::Text(text) => lines.push(format!("{name}: {text}")),
        Node::List(items) => {
            for item in items {
                push_lines(name, item, lines);
            }
        }
        Node::Fields(fields) => {
            for (inner, value) in fields {
                push_lines(format!("{name} {inner}").trim(), value, lines);
            }
        }
    }
}

/// Removes control characters other than line breaks and tabs, as the contract
/// says, and blanks around.
pub(crate) fn clean(text: &str) -> String {
    let unix = text.replace("\r\n", "\n").replace('\r', "\n");
    let kept: String =
        unix.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    kept.trim().to_owned()
}

/// Nothing, or what agents send for nothing: an unfilled `{{placeholder}}`, or a
/// null that was turned into text.
fn is_blank(value: &str) -> bool {
    let is_placeholder = value
        .strip_prefix("{{")
        .and_then(|rest| rest.strip_suffix("}}"))
        .is_some_and(|name| !name.contains(['{', '}']));
    value.is_empty() || is_placeholder || matches!(value, "null" | "undefined")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(json: &str) -> Sheet {
        let fields = payload::read("application/json", "", json.as_bytes()).unwrap();
        Sheet::sort(fields, &FieldNames::default())
    }

    fn known(json: &str, known: Known) -> Option<String> {
        sheet(json).take(known).map(|line| line.value)
    }

    fn lines(json: &str) -> Vec<(String, String)> {
        sheet(json).lines.into_iter().map(|line| (line.label, line.value)).collect()
    }

    #[test]
    fn envelopes_are_opened() {
        for json in [
            r#"{"problem":"panne"}"#,
            r#"{"args":{"problem":"panne"}}"#,
            r#"{"parameters":{"problem":"panne"}}"#,
            r#"{"payload":{"data":{"problem":"panne"}}}"#,
            r#"{"arguments":"{\"problem\":\"panne\"}"}"#,
            r#"{"data":[{"problem":"panne"}]}"#,
            r#"{"name":"create_ticket","args":{"problem":"panne"},"call":{"call_id":"c1"}}"#,
        ] {
            assert_eq!(known(json, Known::Description).as_deref(), Some("panne"), "{json}");
        }
    }

    #[test]
    fn a_tools_name_is_not_the_callers() {
        let json = r#"{"name":"create_ticket","args":{"nom":"Marie"}}"#;
        assert_eq!(known(json, Known::Name).as_deref(), Some("Marie"));
        let json = r#"{"name":"Marie Dupont","args":{"problem":"panne"}}"#;
        assert_eq!(known(json, Known::Name).as_deref(), Some("Marie Dupont"));
    }

    #[test]
    fn the_platforms_record_of_the_call_gives_ids_and_numbers_only() {
        let json = r#"{"args":{"problem":"panne"},"call":{"call_id":"c1","from_number":"+331",
            "transcript":"Bonjour","access_token":"secret","cost":{"total":3}}}"#;
        let mut sheet = sheet(json);
        assert_eq!(sheet.take(Known::CallId).unwrap().value, "c1");
        assert_eq!(sheet.take(Known::FromNumber).unwrap().value, "+331");
        assert_eq!(lines(json), [("transcript".to_owned(), "Bonjour".to_owned())]);
    }

    #[test]
    fn a_caller_may_be_an_object_a_name_a_number_or_an_address() {
        for (json, expected) in [
            (r#"{"caller":{"name":"Marie"}}"#, Known::Name),
            (r#"{"caller":"Marie"}"#, Known::Name),
            (r#"{"caller":"+33 6 12"}"#, Known::FromNumber),
            (r#"{"caller":"m@example.org"}"#, Known::Email),
        ] {
            assert!(known(json, expected).is_some(), "{json}");
        }
    }

    #[test]
    fn what_is_unknown_or_said_twice_becomes_a_line() {
        let json = r#"{"problem":"a","issue":"b","description":"a","couleur":["rouge","bleu"],
            "poste":{"étage":2,"bureau":[{"n":"12"},null]},"vide":"","nul":null}"#;
        let expected = [
            ("issue", "b"),
            ("couleur", "rouge\nbleu"),
            ("poste étage", "2"),
            ("poste bureau 1 n", "12"),
        ];
        assert_eq!(lines(json), expected.map(|(l, v)| (l.to_owned(), v.to_owned())));
    }

    #[test]
    fn unfilled_placeholders_are_nothing() {
        let json = r#"{"call_id":"{{call_id}}","nom":"undefined","x":"{{y}}","problem":"\u0000"}"#;
        let mut sheet = sheet(json);
        assert_eq!(sheet.take(Known::CallId), None);
        assert_eq!(sheet.take(Known::Name), None);
        assert_eq!(sheet.rest(), []);
    }

    #[test]
    fn a_description_in_pieces_is_put_together() {
        let json = r#"{"description":["a",{"depuis":"hier"}]}"#;
        assert_eq!(known(json, Known::Description).as_deref(), Some("a\ndepuis: hier"));
    }
}
