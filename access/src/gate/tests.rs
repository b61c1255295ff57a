use service_kit::config::Source;

use super::*;
use crate::Surface;

const NOW: &str = "2026-11-24T12:00:00Z";

fn digest(secret: &str) -> String {
    Digest::of(secret.as_bytes()).to_string()
}

/// Rules with these clients; `TOKEN(x)` in a line stands for the digest of `x`.
fn rules(surface: Surface, lines: &str, further: &[(&str, &str)]) -> Rules {
    let mut text = String::new();
    for (number, part) in lines.split("TOKEN(").enumerate() {
        let (secret, rest) = part.split_once(')').filter(|_| number > 0).unwrap_or(("", part));
        text += &(if number > 0 { digest(secret) } else { String::new() } + rest);
    }
    let clients = ("AUTOMATGLPI_CLIENTS", text.as_str());
    let pairs = further.iter().copied().chain([clients]);
    let environment = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let source = Source::new(environment, None).unwrap();
    let rules = Rules::from_source(&source, surface);
    source.finish().unwrap();
    rules
}

fn home() -> IpAddr {
    "192.0.2.1".parse().unwrap()
}

fn identify(gate: &Gate, credentials: Credentials<'_>) -> Result<String, Refusal> {
    let caller = gate.identify(&credentials, home(), NOW.parse().unwrap())?;
    Ok(caller.name().as_str().to_owned())
}

fn token(header: &str) -> Credentials<'_> {
    Credentials { authorization: Some(header.as_bytes()), ..Credentials::default() }
}

#[test]
fn a_token_lets_its_client_in_and_no_other() {
    let lines = "ivr create token=TOKEN(one) token=TOKEN(two)\n# a note\n\nconsole operate token=TOKEN(three)";
    let gate = Gate::new(rules(Surface::Grpc, lines, &[("AUTOMATGLPI_GRPC_TOKEN", "own")]));
    for (header, client) in [
        ("Bearer one", "ivr"),
        ("bearer two", "ivr"),
        ("Bearer  three", "console"),
        ("Bearer own", "grpc"),
    ] {
        assert_eq!(identify(&gate, token(header)).as_deref(), Ok(client), "{header}");
    }
    for header in ["", "one", "Bearer", "Bearer ", "Bearer on", "Bearer onee", "Basic  one"] {
        assert_eq!(identify(&gate, token(header)), Err(Refusal::Credential), "{header}");
    }
    assert_eq!(identify(&gate, Credentials::default()), Err(Refusal::Credential));
}

#[test]
fn a_token_ends_when_its_time_is_over() {
    let lines = "ivr create token=TOKEN(old),until=2026-11-23 token=TOKEN(new),until=2026-11-24";
    let gate = Gate::new(rules(Surface::Grpc, lines, &[]));
    assert_eq!(identify(&gate, token("Bearer old")), Err(Refusal::Credential));
    assert_eq!(identify(&gate, token("Bearer new")).as_deref(), Ok("ivr"));
}

#[test]
fn a_secret_path_is_no_token_and_a_token_no_path() {
    let lines = "agent create path=TOKEN(p)\nivr create token=TOKEN(t)";
    let gate = Gate::new(rules(Surface::Http, lines, &[]));
    let path = |path| Credentials { path: Some(path), ..Credentials::default() };
    assert_eq!(identify(&gate, path("p")).as_deref(), Ok("agent"));
    assert_eq!(identify(&gate, path("t")), Err(Refusal::Credential));
    assert_eq!(identify(&gate, token("Bearer p")), Err(Refusal::Credential));
}

#[test]
fn a_certificate_names_its_client_and_goes_with_no_other_ones_token() {
    let lines = "console operate certificate=console.example.org\n\
                 ivr create certificate=ivr.example.org token=TOKEN(t)\n\
                 bot create token=TOKEN(b)";
    let gate = Gate::new(rules(Surface::Grpc, lines, &[]));
    let [console, ivr] = ["console.example.org", "ivr.example.org"].map(|name| [name.to_owned()]);
    let with = |certificate, authorization: Option<&'static str>| Credentials {
        authorization: authorization.map(str::as_bytes),
        certificate,
        path: None,
        is_forwarded: false,
    };
    let refused = Err(Refusal::Credential);
    assert_eq!(identify(&gate, with(&console, None)).as_deref(), Ok("console"));
    assert_eq!(identify(&gate, with(&ivr, Some("Bearer t"))).as_deref(), Ok("ivr"));
    assert_eq!(identify(&gate, with(&ivr, None)), refused, "it has a token as well");
    assert_eq!(identify(&gate, with(&console, Some("Bearer t"))), refused, "another one's");
    assert_eq!(identify(&gate, with(&[], Some("Bearer t"))), refused);
    assert_eq!(identify(&gate, with(&console, Some("Bearer b"))).as_deref(), Ok("bot"));
    assert_eq!(identify(&gate, with(&console, Some("Bearer no"))), refused);
}

#[test]
fn everybody_is_let_in_only_where_nobody_is_configured() {
    let open = Gate::new(rules(Surface::Grpc, "", &[]));
    assert!(!open.asks_for_credentials());
    assert_eq!(identify(&open, token("Bearer x")).as_deref(), Ok("local"));
    // Paths are of no use for gRPC: then nobody is known.
    let closed = Gate::new(rules(Surface::Grpc, "agent create path=TOKEN(p)", &[]));
    assert!(closed.asks_for_credentials());
    assert_eq!(identify(&closed, token("Bearer p")), Err(Refusal::Credential));
}

#[test]
fn a_reload_never_opens_a_listener_that_asked_for_credentials() {
    let gate = Gate::new(rules(Surface::Grpc, "ivr create token=TOKEN(t)", &[]));
    let reload = gate.reloading("127.0.0.1:1".parse().unwrap());
    for clients in ["# all clients are being replaced", ""] {
        let environment = [("AUTOMATGLPI_CLIENTS".to_owned(), clients.to_owned())];
        let source = Source::new(environment, None).unwrap();
        let _not_made = reload(&source);
        assert!(source.finish().is_err(), "{clients}");
    }
    assert_eq!(identify(&gate, token("Bearer t")).as_deref(), Ok("ivr"));
}

#[test]
fn a_stray_token_does_not_hide_a_secret_path() {
    let gate = Gate::new(rules(Surface::Http, "agent create path=TOKEN(p)", &[]));
    let both = Credentials { path: Some("p"), ..token("Bearer stray") };
    assert_eq!(identify(&gate, both).as_deref(), Ok("agent"));
}

#[test]
fn a_relay_cannot_bring_names_without_end() {
    let gate = Gate::new(rules(Surface::Grpc, "gate relay token=TOKEN(g)", &[]));
    let relay = gate.identify(&token("Bearer g"), home(), NOW.parse().unwrap()).unwrap();
    let bring = |name: String| gate.relayed(relay.clone(), Name::parse(&name).unwrap());
    for number in 0..1_000 {
        assert!(bring(format!("agent-{number}")).is_ok());
    }
    assert!(bring("agent-0".into()).is_ok(), "it has been brought before");
    assert!(bring("agent-1000".into()).is_err());
    assert!(bring("gate".into()).is_ok(), "it is configured");
}

#[test]
fn whoever_operates_may_read_also_through_a_relay() {
    let lines =
        "gate relay token=TOKEN(g)\nconsole operate token=TOKEN(c)\nivr create token=TOKEN(i)";
    let gate = Gate::new(rules(Surface::Grpc, lines, &[]));
    let caller = |header| gate.identify(&token(header), home(), NOW.parse().unwrap()).unwrap();
    let for_client = |name| gate.relayed(caller("Bearer g"), Name::parse(name).unwrap()).unwrap();
    assert!(caller("Bearer c").may(Role::Read) && caller("Bearer c").sees_all());
    assert!(for_client("console").sees_all() && !for_client("console").may(Role::Operate));
    assert!(!for_client("ivr").sees_all() && !caller("Bearer i").sees_all());
}

#[test]
fn what_is_meant_for_this_machine_is_not_opened_by_a_proxy_on_it() {
    let open = Gate::new(rules(Surface::Http, "", &[]));
    let forwarded = Credentials { is_forwarded: true, ..Credentials::default() };
    assert_eq!(identify(&open, forwarded), Err(Refusal::Proxy));
    let closed = Gate::new(rules(Surface::Http, "ivr create token=TOKEN(t)", &[]));
    let forwarded = Credentials { is_forwarded: true, ..token("Bearer t") };
    assert_eq!(identify(&closed, forwarded).as_deref(), Ok("ivr"));
}

#[test]
fn addresses_are_checked_for_all_and_for_one_client() {
    let lines = "ivr create token=TOKEN(t) from=198.51.100.0/24\nbot create token=TOKEN(b)";
    let all = ("AUTOMATGLPI_ALLOW_FROM", "192.0.2.0/24,198.51.100.7");
    let gate = Gate::new(rules(Surface::Http, lines, &[all]));
    let knock = |peer: &str| gate.knock(peer.parse().unwrap(), [].into_iter());
    assert_eq!(knock("192.0.2.9"), Ok("192.0.2.9".parse().unwrap()));
    assert_eq!(knock("192.0.3.9"), Err(Refusal::Address));
    assert_eq!(identify(&gate, token("Bearer t")), Err(Refusal::Address));
    assert_eq!(identify(&gate, token("Bearer b")).as_deref(), Ok("bot"));
}

#[test]
fn roles_are_checked_and_a_relay_speaks_for_others_only_as_they_may() {
    let gate = Gate::new(rules(
        Surface::Grpc,
        "gate relay token=TOKEN(g)\nivr create token=TOKEN(i)",
        &[],
    ));
    let caller = |header| gate.identify(&token(header), home(), NOW.parse().unwrap()).unwrap();
    let ivr = caller("Bearer i");
    assert!(gate.admit(&ivr, Role::Create).is_ok());
    assert_eq!(gate.admit(&ivr, Role::Operate).unwrap_err(), Refusal::Role(Role::Operate));

    let agent = Name::parse("agent").unwrap();
    let relayed = gate.relayed(caller("Bearer g"), agent.clone()).unwrap();
    assert_eq!(relayed.name(), &agent);
    assert!(gate.admit(&relayed, Role::Create).is_ok());
    assert_eq!(gate.admit(&relayed, Role::Operate).unwrap_err(), Refusal::Role(Role::Operate));
    let own = gate.relayed(ivr, agent).unwrap();
    assert_eq!(own.name().as_str(), "ivr", "only a relay may");
}

#[test]
fn a_client_that_takes_all_it_can_leaves_room_for_others() {
    let lines = "flood create token=TOKEN(f) rate=4/h\nivr create token=TOKEN(i)";
    let further = [("AUTOMATGLPI_MAX_CALLS", "4"), ("AUTOMATGLPI_CLIENT_RATE", "none")];
    let gate = Gate::new(rules(Surface::Grpc, lines, &further));
    let caller = |header| gate.identify(&token(header), home(), NOW.parse().unwrap()).unwrap();
    let (flood, ivr) = (caller("Bearer f"), caller("Bearer i"));
    let passes: Vec<_> = (0..8).map(|_| gate.admit(&flood, Role::Create)).collect();
    assert_eq!(passes.iter().filter(|pass| pass.is_ok()).count(), 2, "half of all places");
    assert!(matches!(passes[7], Err(Refusal::Full { .. })));
    assert!(matches!(gate.admit(&flood, Role::Create), Err(Refusal::Rate { .. })));
    let others = [gate.admit(&ivr, Role::Create), gate.admit(&ivr, Role::Create)];
    assert!(others.iter().all(Result::is_ok));
    drop(passes);
    assert!(gate.admit(&ivr, Role::Create).is_err(), "its own half is taken");
    drop(others);
    assert!(gate.admit(&ivr, Role::Create).is_ok(), "places come back");
}

#[test]
fn rules_change_while_the_door_is_in_use() {
    let gate = Gate::new(rules(Surface::Grpc, "ivr create token=TOKEN(old)", &[]));
    let ivr = gate.identify(&token("Bearer old"), home(), NOW.parse().unwrap()).unwrap();
    let pass = gate.admit(&ivr, Role::Create);
    gate.clone().change(rules(Surface::Grpc, "ivr create token=TOKEN(new)", &[]));
    assert_eq!(identify(&gate, token("Bearer old")), Err(Refusal::Credential));
    assert_eq!(identify(&gate, token("Bearer new")).as_deref(), Ok("ivr"));
    assert!(pass.is_ok());
}

#[test]
fn everything_wrong_with_the_clients_is_told_and_nothing_of_a_secret() {
    let lines = "ivr create token=s3cret\nivr2 create\n\nwebhook create path=s3cret";
    let environment = [("AUTOMATGLPI_CLIENTS", lines), ("AUTOMATGLPI_CLIENT_RATE", "quick")];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let source = Source::new(environment, None).unwrap();
    Rules::from_source(&source, Surface::Http);
    let problems = source.finish().unwrap_err().0;
    assert_eq!(problems.len(), 4, "{problems:#?}");
    assert!(problems[0].starts_with("AUTOMATGLPI_CLIENTS (environment), line 1: token="));
    assert!(problems[1].contains("line 2: a client needs"));
    assert!(problems[2].contains("line 4"));
    assert!(!problems.concat().contains("s3cret"));
}
