//! Who else is told.

use super::{Setting, plain, secret};

/// Who is told what.
pub const AUTOMATGLPI_NOTIFY: Setting = plain(
    "AUTOMATGLPI_NOTIFY",
    Some("parked,unreachable,backlog,expiring"),
    "What is told to the channels below: `created`, `parked` (a request that GLPI refused), `unreachable` (GLPI, and its recovery), `backlog`, `expiring` (parked requests about to be given up).",
);

/// Which tickets are told.
pub const AUTOMATGLPI_NOTIFY_CREATED: Setting = plain(
    "AUTOMATGLPI_NOTIFY_CREATED",
    None,
    "Which created tickets are told, such as `urgency>=4 category=12,13 client=ivr`; unset: all, if `created` is among the above.",
);

/// When an outage is told.
pub const AUTOMATGLPI_NOTIFY_UNREACHABLE_AFTER: Setting = plain(
    "AUTOMATGLPI_NOTIFY_UNREACHABLE_AFTER",
    Some("5m"),
    "How long GLPI must be unreachable before it is told.",
);

/// When a backlog is told.
pub const AUTOMATGLPI_NOTIFY_BACKLOG: Setting = plain(
    "AUTOMATGLPI_NOTIFY_BACKLOG",
    Some("100"),
    "How many requests must wait for GLPI before it is told.",
);

/// Private addresses that may be told.
pub const AUTOMATGLPI_NOTIFY_ALLOW: Setting = plain(
    "AUTOMATGLPI_NOTIFY_ALLOW",
    None,
    "Hosts and networks that the webhooks below may reach by `http://` or although they are private, such as `chat.intranet,10.1.0.0/16`.",
);

/// Slack.
pub const AUTOMATGLPI_SLACK_WEBHOOK_URL: Setting =
    secret("AUTOMATGLPI_SLACK_WEBHOOK_URL", None, "Incoming webhook of a Slack channel.");

/// Teams.
pub const AUTOMATGLPI_TEAMS_WEBHOOK_URL: Setting =
    secret("AUTOMATGLPI_TEAMS_WEBHOOK_URL", None, "Workflow webhook of a Microsoft Teams channel.");

/// A webhook of one's own.
pub const AUTOMATGLPI_NOTIFY_WEBHOOK_URL: Setting = secret(
    "AUTOMATGLPI_NOTIFY_WEBHOOK_URL",
    None,
    "Address that events are posted to as Standard Webhooks.",
);

/// Its secret.
pub const AUTOMATGLPI_NOTIFY_WEBHOOK_SECRET: Setting = secret(
    "AUTOMATGLPI_NOTIFY_WEBHOOK_SECRET",
    None,
    "Secret that signs them, `whsec_…`; while one replaces another, both with a blank between them. Required with the address.",
);

/// A mail server.
pub const AUTOMATGLPI_SMTP_URL: Setting = secret(
    "AUTOMATGLPI_SMTP_URL",
    None,
    "Mail server, such as `smtps://user:password@mail.example.org` or `smtp://mail.example.org` (which must offer STARTTLS).",
);

/// The sender of mail.
pub const AUTOMATGLPI_MAIL_FROM: Setting = plain(
    "AUTOMATGLPI_MAIL_FROM",
    None,
    "Sender of mail, such as `AutomatGLPI <glpi@example.org>`. Required with the mail server.",
);

/// Who gets mail.
pub const AUTOMATGLPI_MAIL_TO: Setting = plain(
    "AUTOMATGLPI_MAIL_TO",
    None,
    "Recipients of mail, separated by commas. Required with the mail server.",
);
