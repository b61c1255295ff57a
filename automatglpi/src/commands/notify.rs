//! `automatglpi notify test`: does anybody hear us?

use std::{path::Path, process::ExitCode};

use clap::builder::styling::{AnsiColor, Style};
use notices::{Channel, Channels, Event, Notice, Outcome};
use serde::Serialize;
use service_kit::config::Source;
use ticketing_core::clock::{Clock as _, SystemClock};

use crate::{
    cli::{Notify, NotifyTest},
    output,
};

pub(crate) async fn run(config: Option<&Path>, order: Notify) -> anyhow::Result<ExitCode> {
    let Notify::Test(NotifyTest { channel: wanted, format }) = order;
    let source = Source::from_process(config)?;
    let config = grpc_server::Config::from_source(&source).notices;
    source.finish()?;

    let channels = Channels::new(&config)?;
    let is_wanted = |channel: &&Channel| wanted.is_none_or(|kind| channel.kind() == kind);
    let chosen: Vec<_> = channels.iter().filter(is_wanted).collect();
    if chosen.is_empty() {
        anyhow::bail!(
            "no such channel is configured: set AUTOMATGLPI_SLACK_WEBHOOK_URL, \
             AUTOMATGLPI_TEAMS_WEBHOOK_URL, AUTOMATGLPI_SMTP_URL or AUTOMATGLPI_NOTIFY_WEBHOOK_URL"
        );
    }
    let now = SystemClock.now();
    let notice = Notice { timestamp: now, event: Event::Test };
    let id = format!("msg_test_{}", now.as_millisecond());
    let mut all_told = true;
    for channel in chosen {
        let outcome = channel.send(&notice, &id, now).await;
        all_told &= outcome == Outcome::Sent;
        if format.json {
            output::json(&Line::new(channel, &outcome))?;
        } else {
            output::data(&line(&Line::new(channel, &outcome)));
        }
    }
    Ok(if all_told { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What became of one message.
#[derive(Debug, Serialize)]
struct Line<'a> {
    channel: &'static str,
    host: &'a str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl<'a> Line<'a> {
    fn new(channel: &'a Channel, outcome: &'a Outcome) -> Self {
        let (outcome, reason) = match outcome {
            Outcome::Sent => ("told", None),
            Outcome::Retry { reason, .. } => ("not told now", Some(reason.as_str())),
            Outcome::Failed { reason } => ("not told", Some(reason.as_str())),
            Outcome::Unknown { reason } => ("may have been told", Some(reason.as_str())),
        };
        Self { channel: channel.kind().as_str(), host: channel.host(), outcome, reason }
    }
}

/// The same for people.
fn line(line: &Line<'_>) -> String {
    let Line { channel, host, outcome, reason } = line;
    let (colour, sign) = match reason {
        None => (AnsiColor::Green, "✔"),
        Some(_) => (AnsiColor::Red, "✘"),
    };
    let style = Style::new().fg_color(Some(colour.into())).bold();
    let reason = reason.map(|reason| format!("; {reason}")).unwrap_or_default();
    let told = output::escaped(&format!("{channel} ({host}): {outcome}{reason}"));
    format!("{style}{sign}{style:#} {told}")
}
