//! Mail over a real SMTP conversation.

use notices::{Config, Event, Kind, Notice, Outcome, mail};
use receiver_sandbox::{Authority, MailServer, Manners};

use crate::world::{at, config, created, send};

/// Mail by the server at that address, to two people.
fn mailing_by(server: &str) -> Config {
    let mail = mail::Config {
        server: server.parse().unwrap(),
        from: "AutomatGLPI à l'écoute <glpi@example.org>".parse().unwrap(),
        to: "Équipe <team@example.org>, night@example.org".parse().unwrap(),
    };
    Config { mail: Some(mail), ..config() }
}

/// Mail to a server without TLS that has these manners: what came of it, and the server.
async fn mailed(manners: Manners) -> (Outcome, MailServer) {
    let server = MailServer::start(manners, None).await;
    let config = mailing_by(&format!("smtp://127.0.0.1:{}", server.port));
    (send(&config, Kind::Mail, &created()).await, server)
}

#[tokio::test]
async fn a_mail_arrives_as_it_should_be_read() {
    let (outcome, server) = mailed(Manners::default()).await;
    assert_eq!(outcome, Outcome::Sent);
    let mail = server.mails().remove(0);
    assert_eq!(mail.to, ["RCPT TO:<team@example.org>", "RCPT TO:<night@example.org>"]);
    let (head, body) = mail.message.split_once("\n\n").unwrap();
    let header = |name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {head}")).trim().to_owned()
    };
    assert_eq!(header("Message-ID:"), "<msg_7@example.org>");
    assert_eq!(header("Date:"), "Tue, 24 Nov 2026 15:04:05 +0000");
    assert_eq!(header("Auto-Submitted:"), "auto-generated");
    assert_eq!(header("Content-Type:"), "text/plain; charset=utf-8");
    assert!(header("Subject:").starts_with("Ticket =?utf-8?b?"), "{head}");
    assert!(head.is_ascii() && body.is_ascii(), "no accent goes unencoded");
    assert!(body.contains("https://glpi.example.org/front/ticket.form.php?id=3D42"), "{body}");
}

#[tokio::test]
async fn a_line_that_is_only_a_dot_does_not_end_the_mail() {
    let server = MailServer::start(Manners::default(), None).await;
    let mut config = mailing_by(&format!("smtp://127.0.0.1:{}", server.port));
    config.language = "en".parse().unwrap();
    let event = Event::TicketParked {
        reference: "482-917-305".into(),
        client: ".\r\n.\r\nQUIT\r\n.".into(),
        reason: "..\n.\r\n".into(),
    };
    let notice = Notice { timestamp: at(), event };
    assert_eq!(send(&config, Kind::Mail, &notice).await, Outcome::Sent);
    let mail = server.mails().remove(0);
    assert!(mail.message.contains("Client: . . QUIT ."), "{}", mail.message);
    assert!(mail.message.contains("Time: 2026-11-24 15:04 UTC"), "all of it arrived");
}

#[tokio::test]
async fn starttls_is_used_before_the_password_is_sent() {
    let authority = Authority::new();
    let manners = Manners { login: true, ..Manners::default() };
    let server = MailServer::start(manners, Some(&authority)).await;
    let mut config =
        mailing_by(&format!("smtp://glpi%40example.org:geheim@localhost:{}", server.port));
    config.extra_ca_pem = Some(authority.pem);
    assert_eq!(send(&config, Kind::Mail, &created()).await, Outcome::Sent);
    let mail = server.mails().remove(0);
    assert!(mail.encrypted && mail.login.is_some(), "{mail:?}");
}

#[tokio::test]
async fn tls_from_the_start_works_too() {
    let authority = Authority::new();
    let manners = Manners { tls_from_the_start: true, ..Manners::default() };
    let server = MailServer::start(manners, Some(&authority)).await;
    let mut config = mailing_by(&format!("smtps://localhost:{}", server.port));
    config.extra_ca_pem = Some(authority.pem);
    assert_eq!(send(&config, Kind::Mail, &created()).await, Outcome::Sent);
    assert!(server.mails()[0].encrypted);
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_gets_no_mail() {
    let authority = Authority::new();
    let manners = Manners { tls_from_the_start: true, ..Manners::default() };
    let server = MailServer::start(manners, Some(&authority)).await;
    let config = mailing_by(&format!("smtps://localhost:{}", server.port));
    let outcome = send(&config, Kind::Mail, &created()).await;
    assert!(matches!(outcome, Outcome::Retry { .. }), "{outcome:?}");
    assert_eq!(server.mails().len(), 0);
}

#[tokio::test]
async fn what_an_answer_of_the_mail_server_means() {
    for (command, answer, expected, handed_over) in [
        ("greeting", "421 busy", "retry", 0),
        ("greeting", "554 no mail here", "failed", 0),
        ("greeting", "hang", "retry", 0),
        ("EHLO", "hang", "retry", 0),
        ("MAIL", "451 later", "retry", 0),
        ("MAIL", "550 not you", "failed", 0),
        ("RCPT", "450 greylisted", "retry", 0),
        ("DATA", "close", "retry", 0),
        ("DATA", "hang", "retry", 0),
        (".", "451 later", "retry", 1),
        (".", "554-spam\r\n554 no", "failed", 1),
        (".", "hang", "unknown", 1),
        (".", "close", "unknown", 1),
        ("QUIT", "hang", "sent", 1),
        ("QUIT", "close", "sent", 1),
    ] {
        let instead = vec![(command, answer)];
        let (outcome, server) = mailed(Manners { instead, ..Manners::default() }).await;
        let seen = match outcome {
            Outcome::Sent => "sent",
            Outcome::Retry { .. } => "retry",
            Outcome::Failed { .. } => "failed",
            Outcome::Unknown { .. } => "unknown",
        };
        assert_eq!(seen, expected, "{answer} to {command}: {outcome:?}");
        assert_eq!(server.mails().len(), handed_over, "{answer} to {command}");
    }
}

#[tokio::test]
async fn a_recipient_who_does_not_exist_keeps_nothing_from_the_others() {
    let instead = vec![("RCPT", "550 nobody of that name")];
    let (outcome, server) = mailed(Manners { instead, ..Manners::default() }).await;
    assert_eq!(outcome, Outcome::Sent);
    assert_eq!(server.mails()[0].to, ["RCPT TO:<night@example.org>"]);

    let nobody = ("RCPT", "550 nobody of that name");
    let instead = vec![nobody, nobody];
    let (outcome, server) = mailed(Manners { instead, ..Manners::default() }).await;
    assert!(matches!(outcome, Outcome::Failed { .. }), "{outcome:?}");
    assert_eq!(server.mails().len(), 0);
}
