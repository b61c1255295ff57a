//! Which new tickets are told.

use std::str::FromStr;

/// Conditions on a new ticket, all of which must hold, such as
/// `urgency>=4 category=12,13 client=ivr`. Without a condition every ticket is told.
///
/// A ticket without urgency counts as medium (3), as in GLPI; one without category meets no
/// condition on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    least_urgency: Option<u8>,
    urgencies: Option<Vec<u8>>,
    categories: Option<Vec<u32>>,
    clients: Option<Vec<String>>,
}

/// A condition that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected conditions such as urgency>=4 category=12,13 client=ivr")]
pub struct FilterError;

/// GLPI's urgency of tickets that are given none.
const MEDIUM: u8 = 3;

impl Filter {
    /// Whether a ticket meets all conditions.
    pub fn takes(&self, urgency: Option<u8>, category: Option<u32>, client: &str) -> bool {
        let Self { least_urgency, urgencies, categories, clients } = self;
        let urgency = urgency.unwrap_or(MEDIUM);
        least_urgency.is_none_or(|least| urgency >= least)
            && urgencies.as_ref().is_none_or(|wanted| wanted.contains(&urgency))
            && categories
                .as_ref()
                .is_none_or(|wanted| category.is_some_and(|category| wanted.contains(&category)))
            && clients.as_ref().is_none_or(|wanted| wanted.iter().any(|wanted| wanted == client))
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let mut filter = Self::default();
        for condition in text.split_whitespace() {
            if let Some(least) = condition.strip_prefix("urgency>=") {
                set(&mut filter.least_urgency, urgency(least)?)?;
            } else if let Some(values) = condition.strip_prefix("urgency=") {
                set(&mut filter.urgencies, list(values, urgency)?)?;
            } else if let Some(values) = condition.strip_prefix("category=") {
                let category = |text: &str| text.parse().map_err(|_not_a_number| FilterError);
                set(&mut filter.categories, list(values, category)?)?;
            } else if let Some(values) = condition.strip_prefix("client=") {
                set(&mut filter.clients, list(values, |text| Ok(text.to_owned()))?)?;
            } else {
                return Err(FilterError);
            }
        }
        Ok(filter)
    }
}

fn urgency(text: &str) -> Result<u8, FilterError> {
    text.parse().ok().filter(|urgency| (1..=5).contains(urgency)).ok_or(FilterError)
}

fn list<T>(
    text: &str,
    parse: impl Fn(&str) -> Result<T, FilterError>,
) -> Result<Vec<T>, FilterError> {
    text.split(',')
        .map(|value| if value.is_empty() { Err(FilterError) } else { parse(value) })
        .collect()
}

/// A condition that stands twice is a mistake: which one was meant?
fn set<T>(place: &mut Option<T>, value: T) -> Result<(), FilterError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(FilterError),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_must_meet_every_condition() {
        for (filter, urgency, category, client, taken) in [
            ("", None, None, "ivr", true),
            ("urgency>=4", Some(4), None, "ivr", true),
            ("urgency>=4", Some(3), None, "ivr", false),
            ("urgency>=4", None, None, "ivr", false),
            ("urgency>=3", None, None, "ivr", true),
            ("urgency=1,5", Some(5), None, "ivr", true),
            ("urgency=1,5", Some(4), None, "ivr", false),
            ("category=12,13", None, Some(13), "ivr", true),
            ("category=12,13", None, Some(14), "ivr", false),
            ("category=12,13", None, None, "ivr", false),
            ("client=ivr,web", None, None, "web", true),
            ("client=ivr,web", None, None, "other", false),
            ("urgency>=4  category=12 client=ivr", Some(5), Some(12), "ivr", true),
            ("urgency>=4 category=12 client=ivr", Some(5), Some(12), "web", false),
        ] {
            let filter: Filter = filter.parse().unwrap();
            assert_eq!(filter.takes(urgency, category, client), taken, "{filter:?}");
        }
    }

    #[test]
    fn a_mistyped_condition_is_refused() {
        for text in [
            "urgency>4",
            "urgency>=6",
            "urgency=haute",
            "category=",
            "category=12,,13",
            "categorie=12",
            "client",
            "client=a client=b",
        ] {
            assert_eq!(text.parse::<Filter>(), Err(FilterError), "{text}");
        }
    }
}
