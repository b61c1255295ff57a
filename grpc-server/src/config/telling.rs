//! Who is told what, and where.

use std::{num::NonZeroU64, time::Duration};

use notices::{Filter, Subject, mail, webhook};
use secrecy::{ExposeSecret as _, SecretString};
use service_kit::{
    config::Source,
    settings::{self, Setting},
};
use spoken::Language;
use ticketing_core::{announce, ticketing::Retention};

/// How long one sending may take.
const TIMEOUT: Duration = Duration::from_secs(15);

const ADDRESS: &str =
    "an https:// address on the internet, or one that AUTOMATGLPI_NOTIFY_ALLOW allows";

/// What is told; the channels are still to be set up.
pub(super) fn settings(source: &Source, retention: Retention) -> announce::Settings {
    announce::Settings {
        subjects: subjects(source),
        created: created(source),
        unreachable_after: source
            .positive_duration(&settings::AUTOMATGLPI_NOTIFY_UNREACHABLE_AFTER),
        backlog: source
            .parse(&settings::AUTOMATGLPI_NOTIFY_BACKLOG, "a number from 1 up")
            .map_or(announce::Settings::default().backlog, NonZeroU64::get),
        parked_retention: retention.parked,
        ..announce::Settings::default()
    }
}

/// Where it is told.
pub(super) fn channels(
    source: &Source,
    glpi_url: &str,
    extra_ca_pem: Option<Vec<u8>>,
    language: &Language,
) -> notices::Config {
    let networks = source.text(&settings::AUTOMATGLPI_NOTIFY_ALLOW).unwrap_or_default();
    let allow = networks.parse().unwrap_or_else(|notices::guard::AllowError| {
        let expected = "host names, addresses or networks such as chat.intranet,10.1.0.0/16";
        source.wrong(&settings::AUTOMATGLPI_NOTIFY_ALLOW, expected);
        notices::guard::Allow::default()
    });
    let address = |setting: &Setting| {
        let url = source.secret(setting)?;
        if notices::may_be_posted_to(&url, &allow) {
            return Some(url);
        }
        source.wrong(setting, ADDRESS);
        None
    };
    notices::Config {
        language: language.clone(),
        glpi_url: glpi_page(glpi_url),
        slack_url: address(&settings::AUTOMATGLPI_SLACK_WEBHOOK_URL),
        teams_url: address(&settings::AUTOMATGLPI_TEAMS_WEBHOOK_URL),
        mail: mail(source),
        webhook: address(&settings::AUTOMATGLPI_NOTIFY_WEBHOOK_URL)
            .map(|url| (url, webhook_secrets(source))),
        allow,
        extra_ca_pem,
        timeout: TIMEOUT,
    }
}

fn subjects(source: &Source) -> Vec<Subject> {
    let setting = &settings::AUTOMATGLPI_NOTIFY;
    let text = source.text(setting).unwrap_or_default();
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    words.map(str::parse).collect::<Result<_, _>>().unwrap_or_else(|_unknown| {
        source.wrong(setting, "some of created,parked,unreachable,backlog,expiring");
        Vec::new()
    })
}

fn created(source: &Source) -> Filter {
    let setting = &settings::AUTOMATGLPI_NOTIFY_CREATED;
    source.text(setting).unwrap_or_default().parse().unwrap_or_else(|_unreadable| {
        source.wrong(setting, "conditions such as urgency>=4 category=12,13 client=ivr");
        Filter::default()
    })
}

fn mail(source: &Source) -> Option<mail::Config> {
    let setting = &settings::AUTOMATGLPI_SMTP_URL;
    let url = source.secret(setting)?;
    let server = url.expose_secret().parse().ok();
    if server.is_none() {
        source.wrong(setting, "smtps://user:password@host or smtp://user:password@host");
    }
    let addresses = "mail addresses such as Helpdesk <help@example.org>";
    source.required_text(&settings::AUTOMATGLPI_MAIL_FROM);
    source.required_text(&settings::AUTOMATGLPI_MAIL_TO);
    let from = source.parse(&settings::AUTOMATGLPI_MAIL_FROM, addresses);
    let to = source.parse(&settings::AUTOMATGLPI_MAIL_TO, addresses);
    Some(mail::Config { server: server?, from: from?, to: to? })
}

/// One secret, or several with blanks between them while one replaces another.
fn webhook_secrets(source: &Source) -> Vec<webhook::Secret> {
    let setting = &settings::AUTOMATGLPI_NOTIFY_WEBHOOK_SECRET;
    let text: SecretString = source.required_secret(setting);
    let words = text.expose_secret().split_whitespace();
    words.map(str::parse).collect::<Result<_, _>>().unwrap_or_else(|_no_secret| {
        source.wrong(setting, "whsec_ and 24 to 64 bytes in Base64");
        Vec::new()
    })
}

/// Where people open GLPI: beside its API.
fn glpi_page(api: &str) -> String {
    let api = api.trim().trim_end_matches('/');
    api.strip_suffix("/apirest.php").unwrap_or(api).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(extra: &[(&str, &str)]) -> (notices::Config, announce::Settings, String) {
        let required = [
            ("GLPI_URL", "https://glpi.example.org/glpi/apirest.php/"),
            ("GLPI_APP_TOKEN", "a"),
            ("GLPI_USER_TOKEN", "u"),
        ];
        let all = required
            .iter()
            .chain(extra)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let source = Source::new(all, None).unwrap();
        let config = super::super::Config::from_source(&source);
        let problems = source.finish().map_or_else(|error| error.to_string(), |()| String::new());
        (config.notices, config.telling, problems)
    }

    #[test]
    fn without_settings_nobody_is_told() {
        let (channels, telling, problems) = read(&[]);
        assert_eq!(problems, "");
        assert!(channels.slack_url.is_none() && channels.mail.is_none());
        assert_eq!(channels.glpi_url, "https://glpi.example.org/glpi");
        assert_eq!(
            telling.subjects,
            [Subject::Parked, Subject::Unreachable, Subject::Backlog, Subject::Expiring]
        );
    }

    #[test]
    fn everything_that_is_wrong_is_told_without_the_secret() {
        let (_, _, problems) = read(&[
            ("AUTOMATGLPI_NOTIFY", "parked,nonsense"),
            ("AUTOMATGLPI_NOTIFY_CREATED", "urgency>4"),
            ("AUTOMATGLPI_NOTIFY_BACKLOG", "0"),
            ("AUTOMATGLPI_NOTIFY_ALLOW", "https://x"),
            ("AUTOMATGLPI_SLACK_WEBHOOK_URL", "http://10.0.0.1/geheim"),
            ("AUTOMATGLPI_TEAMS_WEBHOOK_URL", "https://localhost.example/fine"),
            ("AUTOMATGLPI_NOTIFY_WEBHOOK_URL", "https://hooks.example.org/x"),
            ("AUTOMATGLPI_SMTP_URL", "mail.geheim.example"),
            ("AUTOMATGLPI_MAIL_FROM", "nobody"),
        ]);
        for name in [
            "AUTOMATGLPI_NOTIFY “parked,nonsense”",
            "AUTOMATGLPI_NOTIFY_CREATED",
            "AUTOMATGLPI_NOTIFY_BACKLOG",
            "AUTOMATGLPI_NOTIFY_ALLOW",
            "AUTOMATGLPI_SLACK_WEBHOOK_URL",
            "AUTOMATGLPI_NOTIFY_WEBHOOK_SECRET is missing",
            "AUTOMATGLPI_SMTP_URL",
            "AUTOMATGLPI_MAIL_FROM",
            "AUTOMATGLPI_MAIL_TO is missing",
        ] {
            assert!(problems.contains(name), "{name} in {problems}");
        }
        assert!(!problems.contains("geheim") && !problems.contains("TEAMS"), "{problems}");
    }
}
