//! Search criteria: `criteria[0][field]=1&criteria[0][searchtype]=contains&…`

use serde_json::Value;

use super::call::Ask;
use super::fields::{Field, Found};
use crate::answer::Answer;
use crate::message::Message;
use crate::text::Pattern;

/// One criterion, bound to its field.
pub(super) struct Criterion<'f, T> {
    pub(super) field: &'f Field<T>,
    or: bool,
    negated: bool,
    comparison: Comparison,
}

enum Comparison {
    Contains {
        pattern: Pattern,
        numeric: Option<(Order, i64)>,
        negated: bool,
    },
    Equals {
        value: String,
        negated: bool,
    },
    LessThan(String),
    MoreThan(String),
    /// An item or one of those below it. The seeded trees have two levels.
    Under(i64),
    /// A searchtype that the field does not know finds nothing.
    Nothing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Same,
    Less,
    LessOrSame,
    More,
    MoreOrSame,
}

/// Reads the criteria; an `Answer` is what a client gets for bad ones.
pub(super) fn read<'f, T>(
    ask: &Ask<'_>,
    fields: &'f [Field<T>],
) -> Result<Vec<Criterion<'f, T>>, Answer> {
    let list = match ask.call.parameters.get("criteria") {
        None => return Ok(Vec::new()),
        Some(Value::Object(list)) => list,
        // A text where PHP expects an array is an exception nobody catches.
        Some(_) => return Err(Answer::empty()),
    };
    let mut numbered: Vec<_> = list.iter().collect();
    numbered.sort_by_key(|(index, _)| index.parse::<u32>().unwrap_or(u32::MAX));
    numbered.into_iter().map(|(_, criterion)| bind(ask, fields, criterion)).collect()
}

fn bind<'f, T>(
    ask: &Ask<'_>,
    fields: &'f [Field<T>],
    criterion: &Value,
) -> Result<Criterion<'f, T>, Answer> {
    let part = |name: &str| criterion.get(name).and_then(Value::as_str);
    let (Some(id), Some(searchtype), Some(value)) =
        (part("field"), part("searchtype"), part("value"))
    else {
        return Err(ask.error(400, "ERROR", Message::BadCriteria));
    };
    let field = id.parse().ok().and_then(|id: u32| fields.iter().find(|field| field.id == id));
    let Some(field) = field else {
        return Err(ask.error(400, "ERROR", Message::BadField));
    };
    let link = part("link").unwrap_or("AND").trim().to_ascii_uppercase();
    Ok(Criterion {
        field,
        or: link.starts_with("OR"),
        negated: link.ends_with("NOT"),
        comparison: Comparison::read(searchtype, value),
    })
}

impl Comparison {
    fn read(searchtype: &str, value: &str) -> Self {
        let value = value.trim().to_owned();
        match searchtype {
            "contains" | "notcontains" => Self::Contains {
                pattern: Pattern::new(&value),
                numeric: numeric(&value),
                negated: searchtype == "notcontains",
            },
            "equals" => Self::Equals { value, negated: false },
            "notequals" => Self::Equals { value, negated: true },
            "lessthan" => Self::LessThan(value),
            "morethan" => Self::MoreThan(value),
            "under" => value.parse().map_or(Self::Nothing, Self::Under),
            _ => Self::Nothing,
        }
    }

    fn holds(&self, found: &Found<'_>, scratch: &mut String) -> bool {
        match (self, found) {
            (Self::Contains { pattern, numeric, negated }, found) => {
                let contained = match found {
                    Found::Text(text) => pattern.matches(text, scratch),
                    Found::Date(date) => pattern.matches(date, scratch),
                    Found::Other(_, name) => {
                        name.is_some_and(|name| pattern.matches(name, scratch))
                    }
                    Found::Several(all) => all.iter().any(|(_, words, _)| {
                        words
                            .split(' ')
                            .chain([words.as_str()])
                            .any(|w| pattern.matches(w, scratch))
                    }),
                    Found::Number(number) => {
                        numeric.is_some_and(|(order, than)| order.holds(*number, than))
                    }
                    Found::Choice(_) | Found::Nothing => false,
                };
                contained != *negated
            }
            (Self::Equals { value, negated }, found) => {
                equals(found, value).is_some_and(|e| e != *negated)
            }
            (Self::LessThan(value), Found::Date(date)) => *date < value.as_str(),
            (Self::MoreThan(value), Found::Date(date)) => *date > value.as_str(),
            (Self::Under(root), Found::Other(id, _)) => id == root || is_below(found, *root),
            _ => false,
        }
    }
}

/// `None` where the field knows no `equals`: nothing is found, nor its contrary.
fn equals(found: &Found<'_>, value: &str) -> Option<bool> {
    let number = value.parse::<i64>().ok();
    match found {
        Found::Number(id) | Found::Other(id, _) => Some(Some(*id) == number),
        Found::Choice(choice) => Some(match value {
            // Words that GLPI accepts for a status.
            "notold" => !matches!(choice, 5 | 6),
            "notclosed" => *choice != 6,
            "old" => matches!(choice, 5 | 6),
            "all" => true,
            _ => Some(*choice) == number,
        }),
        Found::Date(date) => Some(*date == value),
        Found::Several(all) => Some(all.iter().any(|(id, _, _)| i64::try_from(*id).ok() == number)),
        Found::Text(_) | Found::Nothing => None,
    }
}

fn is_below(found: &Found<'_>, root: i64) -> bool {
    let Found::Other(_, Some(name)) = found else { return false };
    let tables = [crate::seed::ENTITIES, crate::seed::CATEGORIES, crate::seed::LOCATIONS];
    let parent = tables.iter().flat_map(|items| items.iter()).find(|item| item.full_name == *name);
    parent.and_then(|item| item.parent).and_then(|id| i64::try_from(id).ok()) == Some(root)
}

/// For numbers, `contains` means equality, or a comparison such as `>=5`.
fn numeric(value: &str) -> Option<(Order, i64)> {
    let orders = [
        ("<=", Order::LessOrSame),
        (">=", Order::MoreOrSame),
        ("<", Order::Less),
        (">", Order::More),
        ("", Order::Same),
    ];
    let value = value.trim_start_matches('^').trim_end_matches('$');
    orders
        .into_iter()
        .find_map(|(sign, order)| Some((order, value.strip_prefix(sign)?.trim().parse().ok()?)))
}

impl Order {
    fn holds(self, number: i64, than: i64) -> bool {
        match self {
            Self::Same => number == than,
            Self::Less => number < than,
            Self::LessOrSame => number <= than,
            Self::More => number > than,
            Self::MoreOrSame => number >= than,
        }
    }
}

impl<T> Criterion<'_, T> {
    pub(super) fn holds(&self, record: &T, scratch: &mut String) -> bool {
        self.comparison.holds(&(self.field.value)(record), scratch) != self.negated
    }
}

/// Whether a record meets the criteria; as in SQL, AND binds tighter than OR.
pub(super) fn all_hold<T>(criteria: &[Criterion<'_, T>], record: &T, scratch: &mut String) -> bool {
    let mut alternative_holds = true;
    for (index, criterion) in criteria.iter().enumerate() {
        if criterion.or && index > 0 {
            if alternative_holds {
                return true;
            }
            alternative_holds = true;
        }
        alternative_holds = alternative_holds && criterion.holds(record, scratch);
    }
    alternative_holds
}

/// Whether a record may still meet them, judged by the cheap fields alone.
pub(super) fn may_hold<T>(criteria: &[Criterion<'_, T>], record: &T) -> bool {
    let mut scratch = String::new();
    let any_or = criteria.iter().any(|criterion| criterion.or);
    any_or
        || criteria
            .iter()
            .filter(|criterion| criterion.field.cheap)
            .all(|criterion| criterion.holds(record, &mut scratch))
}
