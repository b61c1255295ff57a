//! One person in many spellings, and persons who only look alike.

use super::*;
use crate::ticket::{CallContext, Caller};

fn called(text: &str, caller: Caller, from: Option<&str>) -> bool {
    let call = CallContext { from_number: from.map(Into::into), ..CallContext::default() };
    let ticket = NewTicket { caller, call, ..NewTicket::saying("panne") };
    link(text, ticket) == Some(Link::Called)
}

fn link(text: &str, ticket: NewTicket) -> Option<Link> {
    Person::parse(text)?.in_work(&Work::Ticket(ticket))
}

fn named(name: &str) -> Caller {
    Caller { name: Some(name.into()), ..Caller::default() }
}

#[test]
fn names_are_compared_without_case_accents_and_order() {
    for (text, name) in [
        ("Hélène  Lefèvre", "helene lefevre"),
        ("LEFEVRE Hélène", "He\u{301}le\u{300}ne Lefe\u{300}vre"),
        ("Jean-Pierre O’Neill", "jean pierre o'neill"),
        ("Müller", "MULLER"),
        ("Cœur", "Coeur"),
        ("Jean M'Baye", "m’baye jean"),
    ] {
        assert!(called(text, named(name), None), "{text} {name}");
        assert!(called(name, named(text), None), "{name} {text}");
    }
    for (text, name) in
        [("Marie", "Marie Dupont"), ("Dupont", "Dupond"), ("12", "Marie"), ("M'Baye", "Baye")]
    {
        assert!(!called(text, named(name), None), "{text} {name}");
    }
}

#[test]
fn numbers_are_compared_however_they_are_written() {
    let writings = [
        "06 12 34 56 78",
        "+33612345678",
        "0033 6.12.34.56.78",
        "+33 (0)6-12-34-56-78",
        "tel:+33(0)612345678",
        "TEL:+33-6-12-34-56-78;phone-context=x",
        "Tél. : 06 12 34 56 78",
        "sip:+33612345678@pbx.example",
        "06\u{a0}12\u{202f}34–56‑78",
    ];
    for text in writings {
        for phone in writings {
            let caller = Caller { phone: Some(phone.into()), ..Caller::default() };
            assert!(called(text, caller, None), "{text} {phone}");
            assert!(called(text, Caller::default(), Some(phone)), "{text} {phone}");
        }
        for other in ["0612345679", "12345678", "4512", "poste 4512", ""] {
            let caller = Caller { phone: Some(other.into()), ..Caller::default() };
            assert!(!called(text, caller, Some(other)), "{text} {other}");
        }
    }
    let internal = || Caller { phone: Some("45 12".into()), ..Caller::default() };
    assert!(called("4512", internal(), None));
    assert!(!called("0612344512", internal(), None), "an extension is not its number's end");
}

#[test]
fn addresses_and_logins_are_compared_without_case() {
    let caller = || Caller {
        email: Some("Marie.Dupont@Hopital.example".into()),
        login: Some("mdupont".into()),
        ..Caller::default()
    };
    assert!(called(" marie.dupont@hopital.EXAMPLE", caller(), None));
    assert!(called("MDupont", caller(), None));
    assert!(!called("dupont@hopital.example", caller(), None));
    assert!(!called("hopital", caller(), None));
}

#[test]
fn nothing_names_nobody() {
    let blank = || Caller {
        name: Some("  ".into()),
        email: Some(String::new()),
        login: Some(" ".into()),
        phone: Some("-".into()),
        ..Caller::default()
    };
    for text in ["", "  ", "-", "…", "()"] {
        assert!(!called(text, blank(), Some("")), "{text:?}");
    }
    assert_eq!(Person::parse(" \t"), None);
}

#[test]
fn debug_shows_nobody() {
    let person = Person::parse("Marie Dupont").unwrap();
    assert_eq!(format!("{person:?}"), "Person");
}

#[test]
fn titles_and_remarks_are_no_part_of_a_name() {
    let writings = [
        "Hortense Vermicelle",
        "Mme Hortense Vermicelle",
        "Mme Dr Hortense Vermicelle",
        "madame  Vermicelle Hortense",
        "Dr. Hortense Vermicelle",
        "M.Hortense Vermicelle",
        "Hortense Vermicelle (compta)",
        "Vermicelle, Mme Hortense",
        "Hortense Vermicelle <h.v@x.example>",
    ];
    for text in writings {
        for name in writings {
            assert!(called(text, named(name), None), "{text} {name}");
        }
    }
    assert!(!called("Mme", named("Marie"), None));
    assert!(!called("Hortense (Vermicelle", named("Hortense"), None), "never closed");
    assert!(!called("Mme Vermicelle", named("Hortense Vermicelle"), None));
    assert!(!called("Hortense M", named("Hortense"), None), "an initial is no title");
}

#[test]
fn an_address_is_compared_without_what_stands_around_it() {
    let writings = [
        "h.v@x.example",
        "\"Hortense\" <h.v@x.example>",
        "mailto:H.V@x.example",
        "h.v@x.example (bureau)",
        "autre@x.example; h.v@x.example",
    ];
    for text in writings {
        for email in writings {
            let caller = Caller { email: Some(email.into()), ..Caller::default() };
            assert!(called(text, caller, None), "{text} {email}");
        }
        assert!(!called(text, named("Hortense"), None), "another of that first name");
    }
}

#[test]
fn a_person_is_found_in_what_was_said() {
    let detail = |value: &str| vec![Detail { label: "rappel".into(), value: value.into() }];
    for text in ["Mme Hortense Vermicelle", "vermicelle HORTENSE", "Hortense Vermicelle (compta)"] {
        for said in
            ["Bonjour, ici Hortense  Vermicelle, du 3e.", "Pour Mme Vermicelle, Hortense\n."]
        {
            let ticket = NewTicket::saying(said);
            assert_eq!(link(text, ticket), Some(Link::Mentioned), "{text}: {said}");
        }
    }
    for text in ["06 11 22 33 44", "+33(0)611223344", "tel:0611223344"] {
        for said in [
            "au 06.11.22.33.44 svp",
            "le 12, 06 11 22 33 44!",
            "(+33) 6 11223344",
            "0033(0)611223344",
        ] {
            let ticket = NewTicket { details: detail(said), ..NewTicket::saying("x") };
            assert_eq!(link(text, ticket), Some(Link::Mentioned), "{text}: {said}");
        }
        for said in ["0611223345", "9 061122334", "10611223344550611"] {
            assert_eq!(link(text, NewTicket::saying(said)), None, "{text}: {said}");
        }
    }
    let subject =
        NewTicket { subject: Some("Poste de h.v@x.example".into()), ..NewTicket::saying("x") };
    assert_eq!(link("H.V@x.example", subject), Some(Link::Mentioned));
    let titled = NewTicket::saying("ici mme vermicelle");
    assert_eq!(link("Mme Vermicelle", titled.clone()), Some(Link::Mentioned));
    for text in ["Vermicelle", "Hortense Vermi", "12345", "ici"] {
        assert_eq!(link(text, titled.clone()), None, "{text}");
    }
    let followup = NewFollowup { text: "Vermicelle Hortense rappelle".into(), details: vec![] };
    let person = Person::parse("Hortense Vermicelle").unwrap();
    assert_eq!(person.in_work(&Work::Followup(followup)), Some(Link::Mentioned));
}

#[test]
fn a_name_beside_another_is_a_mention() {
    let caller = named("Marie Dupont pour Hortense Vermicelle");
    let ticket = NewTicket { caller, ..NewTicket::saying("x") };
    assert_eq!(link("Hortense Vermicelle", ticket), Some(Link::Mentioned));
}
