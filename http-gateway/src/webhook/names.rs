//! What the names in a payload mean: the many spellings of few things.

use std::{collections::BTreeMap, str::FromStr};

/// One thing the gateway understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Known {
    Description,
    Subject,
    Name,
    FirstName,
    Department,
    Email,
    Phone,
    Login,
    CallId,
    AgentId,
    FromNumber,
    ToNumber,
    StartTime,
    Urgency,
    Impact,
    Priority,
    Type,
    CategoryId,
    LocationId,
    EntityId,
    Language,
    AnotherProblem,
}

/// What a name announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// A value of a known kind.
    Field(Known),
    /// The arguments of a tool call, beside the tool's own name.
    Arguments,
    /// An envelope around the fields.
    Envelope,
    /// The person who calls, in an object of its own or in one text.
    Person,
    /// The voice platform's record of the call.
    Call,
}

/// Spellings, folded: lower case, no accents, letters and digits only.
const SPELLINGS: &[(Meaning, &[&str])] = &[
    (
        Meaning::Field(Known::Description),
        &[
            // The empty name: words that came without one.
            "",
            "problemdescription",
            "description",
            "problem",
            "probleme",
            "descriptionprobleme",
            "descriptionduprobleme",
            "issue",
            "issuedescription",
            "incidentdescription",
            "ticketdescription",
            "content",
            "contenu",
            "message",
            "text",
            "texte",
            "body",
            "panne",
            "demande",
            "request",
            "symptom",
            "symptoms",
            "symptome",
            "symptomes",
        ],
    ),
    (
        Meaning::Field(Known::Subject),
        &["subject", "title", "titre", "sujet", "objet", "summary", "resume", "issuesummary"],
    ),
    (
        Meaning::Field(Known::Name),
        &[
            "callername",
            "name",
            "nom",
            "fullname",
            "nomcomplet",
            "requestername",
            "customername",
            "contactname",
            "username",
            "nomappelant",
            "nomdelappelant",
            "nomdemandeur",
            "nomutilisateur",
            "lastname",
            "nomdefamille",
        ],
    ),
    (Meaning::Field(Known::FirstName), &["firstname", "prenom", "callerfirstname"]),
    (
        Meaning::Field(Known::Department),
        &["department", "departement", "service", "dept", "callerdepartment", "team", "equipe"],
    ),
    (
        Meaning::Field(Known::Email),
        &[
            "email",
            "mail",
            "courriel",
            "emailaddress",
            "adressemail",
            "adresseemail",
            "calleremail",
            "requesteremail",
            "customeremail",
            "contactemail",
            "useremail",
        ],
    ),
    (
        Meaning::Field(Known::Phone),
        &[
            "phone",
            "phonenumber",
            "telephone",
            "tel",
            "mobile",
            "portable",
            "numero",
            "numerotelephone",
            "numerodetelephone",
            "callback",
            "callbacknumber",
            "callerphone",
            "callerphonenumber",
            "requesterphone",
            "customerphone",
            "contactphone",
        ],
    ),
    (Meaning::Field(Known::Login), &["login", "userlogin", "identifiant", "glpilogin"]),
    (
        Meaning::Field(Known::CallId),
        &[
            "callid",
            "calluuid",
            "callsid",
            "conversationid",
            "systemconversationid",
            "systemcallsid",
            "idappel",
        ],
    ),
    (Meaning::Field(Known::AgentId), &["agentid", "assistantid", "systemagentid", "idagent"]),
    (
        Meaning::Field(Known::FromNumber),
        &[
            "fromnumber",
            "from",
            "fromphonenumber",
            "callernumber",
            "callerid",
            "systemcallerid",
            "ani",
            "numeroappelant",
        ],
    ),
    (
        Meaning::Field(Known::ToNumber),
        &[
            "tonumber",
            "to",
            "tophonenumber",
            "callednumber",
            "systemcallednumber",
            "dnis",
            "numeroappele",
        ],
    ),
    (
        Meaning::Field(Known::StartTime),
        &["starttime", "starttimestamp", "callstarttime", "callstart", "startedat"],
    ),
    (Meaning::Field(Known::Urgency), &["urgency", "urgence", "urgencylevel", "niveauurgence"]),
    (Meaning::Field(Known::Impact), &["impact", "impactlevel", "niveauimpact"]),
    (Meaning::Field(Known::Priority), &["priority", "priorite", "prioritylevel"]),
    (Meaning::Field(Known::Type), &["type", "tickettype", "typeticket", "typedeticket"]),
    (
        Meaning::Field(Known::CategoryId),
        &["categoryid", "category", "categorie", "itilcategoriesid", "categorieid"],
    ),
    (
        Meaning::Field(Known::LocationId),
        &["locationid", "location", "lieu", "locationsid", "lieuid"],
    ),
    (Meaning::Field(Known::EntityId), &["entityid", "entity", "entite", "entitiesid", "entiteid"]),
    (Meaning::Field(Known::Language), &["language", "langue", "lang", "locale"]),
    (
        Meaning::Field(Known::AnotherProblem),
        &["anotherproblem", "autreprobleme", "newproblem", "nouveauprobleme"],
    ),
    (Meaning::Arguments, &["args", "arguments", "parameters", "params"]),
    (Meaning::Envelope, &["payload", "data", "input", "ticket"]),
    (
        Meaning::Person,
        &["caller", "requester", "appelant", "demandeur", "contact", "customer", "person"],
    ),
    (Meaning::Call, &["call"]),
];

/// What names mean: the configured ones first, then the built-in spellings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldNames {
    own: BTreeMap<String, Known>,
}

/// A mapping that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMapping {
    /// A part without `=`, or with nothing on one side of it.
    #[error("{0:?} is not of the form name=meaning")]
    NotAPair(String),
    /// A meaning that no field has.
    #[error(
        "{0:?} is no field; known are caller_name, department, email, phone, login, subject, \
         problem_description, urgency, impact, priority, type, category_id, location_id, \
         entity_id, call_id, agent_id, from_number, to_number, start_time, language, \
         another_problem"
    )]
    UnknownMeaning(String),
}

/// Reads pairs such as `nom=caller_name,service=department`.
impl FromStr for FieldNames {
    type Err = BadMapping;

    fn from_str(text: &str) -> Result<Self, BadMapping> {
        let mut own = BTreeMap::new();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (name, meaning) =
                pair.split_once('=').ok_or_else(|| BadMapping::NotAPair(pair.to_owned()))?;
            let name = letters(name);
            if name.is_empty() || meaning.trim().is_empty() {
                return Err(BadMapping::NotAPair(pair.to_owned()));
            }
            match built_in(&letters(meaning)) {
                Some(Meaning::Field(known)) => own.insert(name, known),
                Some(Meaning::Arguments | Meaning::Envelope | Meaning::Person | Meaning::Call)
                | None => return Err(BadMapping::UnknownMeaning(meaning.trim().to_owned())),
            };
        }
        Ok(Self { own })
    }
}

impl FieldNames {
    pub(crate) fn meaning(&self, name: &str) -> Option<Meaning> {
        let letters = letters(name);
        // A name of punctuation only is a name all the same.
        if letters.is_empty() && !name.is_empty() {
            return None;
        }
        self.own.get(&letters).copied().map(Meaning::Field).or_else(|| built_in(&letters))
    }
}

fn built_in(letters: &str) -> Option<Meaning> {
    SPELLINGS
        .iter()
        .find(|(_, spellings)| spellings.contains(&letters))
        .map(|(meaning, _)| *meaning)
}

/// `Caller_Name`, `callerName` and `caller-name` are one name.
fn letters(name: &str) -> String {
    fold(name).chars().filter(|character| character.is_alphanumeric()).collect()
}

/// Lower case without the accents of western European languages.
pub(crate) fn fold(text: &str) -> String {
    let without_accent = |character| match character {
        'à'..='å' => Some('a'),
        'ç' => Some('c'),
        'è'..='ë' => Some('e'),
        'ì'..='ï' => Some('i'),
        'ñ' => Some('n'),
        'ò'..='ö' => Some('o'),
        'ù'..='ü' => Some('u'),
        // Combining marks, as macOS writes accents.
        '\u{300}'..='\u{36f}' => None,
        other => Some(other),
    };
    text.chars().flat_map(char::to_lowercase).filter_map(without_accent).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_name_is_known_in_many_spellings() {
        let names = FieldNames::default();
        for name in ["caller_name", "callerName", "Caller-Name", "NOM", " nom "] {
            assert_eq!(names.meaning(name), Some(Meaning::Field(Known::Name)), "{name}");
        }
        for name in ["Problème", "proble\u{300}me", "problem_description", ""] {
            assert_eq!(names.meaning(name), Some(Meaning::Field(Known::Description)), "{name}");
        }
        for name in ["couleur", "_", "✨"] {
            assert_eq!(names.meaning(name), None, "{name}");
        }
    }

    #[test]
    fn no_spelling_has_two_meanings() {
        let all: Vec<&str> =
            SPELLINGS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        for name in all {
            assert_eq!(letters(name), name, "spellings are folded");
        }
    }

    #[test]
    fn configured_names_come_first() {
        let names =
            FieldNames::from_str(" was_ist = problem_description, name=department ,").unwrap();
        assert_eq!(names.meaning("Was ist"), Some(Meaning::Field(Known::Description)));
        assert_eq!(names.meaning("name"), Some(Meaning::Field(Known::Department)));
        assert_eq!(names.meaning("nom"), Some(Meaning::Field(Known::Name)));
    }

    #[test]
    fn a_mapping_without_sense_is_refused() {
        for (text, expected) in [
            ("nom", BadMapping::NotAPair("nom".into())),
            ("=name", BadMapping::NotAPair("=name".into())),
            ("a=", BadMapping::NotAPair("a=".into())),
            ("a=colour", BadMapping::UnknownMeaning("colour".into())),
            ("a=payload", BadMapping::UnknownMeaning("payload".into())),
        ] {
            assert_eq!(FieldNames::from_str(text), Err(expected), "{text}");
        }
    }
}
