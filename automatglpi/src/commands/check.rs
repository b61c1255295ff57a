//! `automatglpi check`: can tickets be made, and if not, what is to be done?

use std::{path::Path, process::ExitCode};

use clap::builder::styling::{AnsiColor, Style};
use notices::{Channel, Channels};
use serde::Serialize;
use service_kit::config::Source;
use ticketing_core::glpi::{
    Glpi,
    check::{Finding, Verdict},
};

use crate::{cli::Format, output};

pub(crate) async fn run(config: Option<&Path>, format: Format) -> anyhow::Result<ExitCode> {
    let source = Source::from_process(config)?;
    let config = grpc_server::Config::from_source(&source);
    source.finish()?;

    let channels = Channels::new(&config.notices)?;
    let mut findings = Glpi::new(config.glpi)?.check().await;
    findings.extend(told_by(&channels));
    for finding in &findings {
        if format.json {
            output::json(&Line::from(finding))?;
        } else {
            output::data(&line(finding));
        }
    }
    let is_bad = |finding: &Finding| matches!(finding.verdict, Verdict::Bad(_));
    Ok(if findings.iter().any(is_bad) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Where people are told; nothing is sent.
fn told_by(channels: &Channels) -> Option<Finding> {
    let told = |channel: &Channel| format!("{} ({})", channel.kind(), channel.host());
    let told = channels.iter().map(told).collect::<Vec<_>>().join(", ");
    let verdict = Verdict::Good(format!("{told}; `automatglpi notify test` tries them"));
    (!channels.is_empty()).then_some(Finding { step: "people are told by", verdict })
}

/// A finding as JSON.
#[derive(Debug, Serialize)]
struct Line<'a> {
    step: &'static str,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meaning: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cure: Option<&'a str>,
}

impl<'a> From<&'a Finding> for Line<'a> {
    fn from(finding: &'a Finding) -> Self {
        let Finding { step, verdict } = finding;
        let (verdict, seen, fault) = match verdict {
            Verdict::Good(seen) => ("good", Some(seen.as_str()), None),
            Verdict::Doubtful(fault) => ("doubtful", None, Some(fault)),
            Verdict::Bad(fault) => ("bad", None, Some(fault)),
        };
        let meaning = fault.map(|fault| fault.meaning.as_str());
        let cure = fault.map(|fault| fault.cure.as_str());
        Self { step, verdict, seen, meaning, cure }
    }
}

/// A finding for people.
fn line(finding: &Finding) -> String {
    let Finding { step, verdict } = finding;
    let (colour, sign, told) = match verdict {
        Verdict::Good(seen) if seen == "yes" => (AnsiColor::Green, "✔", String::new()),
        Verdict::Good(seen) => (AnsiColor::Green, "✔", format!(": {seen}")),
        Verdict::Doubtful(fault) => (
            AnsiColor::Yellow,
            "!",
            format!(": not sure; {}. To do: {}", fault.meaning, fault.cure),
        ),
        Verdict::Bad(fault) => {
            (AnsiColor::Red, "✘", format!(": no; {}. To do: {}", fault.meaning, fault.cure))
        }
    };
    let style = Style::new().fg_color(Some(colour.into())).bold();
    format!("{style}{sign}{style:#} {step}{}", output::escaped(&told))
}
