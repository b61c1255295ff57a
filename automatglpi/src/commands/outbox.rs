//! `automatglpi outbox`: what waits for GLPI, and what to do about it.

use std::{path::Path, process::ExitCode};

use anyhow::bail;
use ticketing_core::ticket::Reference;
use ticketing_proto::v1;

use crate::{
    cli::{Format, OlderThan, Outbox, Personal, References, State, Which},
    output,
};

mod caller;
mod client;
mod copy;
mod csv;
mod view;

use client::{Client, Wanted};
use view::EntryView;

pub(crate) async fn run(config: Option<&Path>, order: Outbox) -> anyhow::Result<ExitCode> {
    let client = || Client::connect(config);
    match order {
        Outbox::Backup { to, directory } => copy::back_up(config, &directory, &to),
        Outbox::Restore { from, directory } => copy::restore(config, &directory, &from),
        Outbox::List { which, limit, personal, format } => {
            list(client().await?, which, limit, personal, format).await
        }
        Outbox::Show { reference, personal, format } => {
            show(client().await?, &reference, personal, format).await
        }
        Outbox::Retry(References { references, format }) => {
            order_all(client().await?, Order::Retry, &references, format).await
        }
        Outbox::Discard(References { references, format }) => {
            order_all(client().await?, Order::Discard, &references, format).await
        }
        Outbox::Watch(format) => watch(client().await?, format).await,
        Outbox::Stats(format) => stats(client().await?, format).await,
        Outbox::Find { caller, personal, format } => {
            caller::find(client().await?, &caller.caller, personal, format).await
        }
        Outbox::Erase { caller, also_waiting, mentioned, yes, format } => {
            let caller = caller.caller;
            if yes {
                let reach = caller::Reach { also_waiting, mentioned };
                caller::erase(client().await?, &caller, reach, format).await
            } else {
                caller::show_what_would_be_erased(client().await?, &caller, format).await
            }
        }
        Outbox::Export { which, csv } => export(client().await?, &which, csv).await,
    }
}

async fn list(
    mut client: Client,
    which: Which,
    limit: u32,
    Personal { personal }: Personal,
    format: Format,
) -> anyhow::Result<ExitCode> {
    let Which { state, age: OlderThan { older_than } } = which;
    let state = state.map_or(v1::EntryState::Unspecified, wanted_state);
    let wanted = Wanted { state, older_than, include_content: personal };
    let mut entries: Vec<EntryView> = Vec::new();
    let mut next = Some(String::new());
    let mut left = limit;
    while let Some(page) = next.take_if(|_| left > 0) {
        let (found, following) = client.page(wanted, page, left).await?;
        left = left.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
        next = following;
        if format.json {
            // At once, so that memory stays bounded.
            found.iter().try_for_each(output::json)?;
        } else {
            entries.extend(found);
        }
    }
    if !format.json && !entries.is_empty() {
        output::data(&view::list(entries, personal));
    }
    if next.is_some() {
        output::talk(&format!("these are the first {limit}; --limit shows more"));
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(
    mut client: Client,
    reference: &Reference,
    Personal { personal }: Personal,
    format: Format,
) -> anyhow::Result<ExitCode> {
    let entry = client.entry(reference, personal).await?;
    if format.json {
        output::json(&entry)?;
        return Ok(ExitCode::SUCCESS);
    }
    output::data(&view::one(&entry));
    if let Some(content) = &entry.content {
        output::pretty_json(content)?;
    } else if personal {
        output::talk("what was said has been erased");
    }
    Ok(ExitCode::SUCCESS)
}

/// What an operator can decide about an entry.
#[derive(Debug, Clone, Copy)]
enum Order {
    Retry,
    Discard,
}

/// Carries the order out on each; one that takes no orders does not keep the others from it.
async fn order_all(
    mut client: Client,
    order: Order,
    references: &[Reference],
    format: Format,
) -> anyhow::Result<ExitCode> {
    let mut exit_code = ExitCode::SUCCESS;
    for reference in references {
        let done = match order {
            Order::Retry => client.retry(reference).await,
            Order::Discard => client.discard(reference).await,
        };
        match done {
            Ok(entry) if format.json => output::json(&entry)?,
            Ok(entry) => output::data(&format!("{} is {}", entry.reference, entry.state)),
            Err(error) => {
                output::talk(&format!("{reference}: {}", crate::trouble::tell(&error)));
                exit_code = ExitCode::FAILURE;
            }
        }
    }
    Ok(exit_code)
}

async fn watch(mut client: Client, format: Format) -> anyhow::Result<ExitCode> {
    let mut changes = client.watch().await?;
    while let Some(status) = changes.next().await? {
        if format.json {
            output::json(&status)?;
        } else {
            output::data(&status.to_string());
        }
    }
    bail!("the gRPC server has stopped");
}

async fn stats(mut client: Client, format: Format) -> anyhow::Result<ExitCode> {
    let status = client.status().await?;
    if format.json {
        output::json(&status)?;
    } else {
        output::data(&view::status(&status));
    }
    Ok(ExitCode::SUCCESS)
}

async fn export(
    mut client: Client,
    OlderThan { older_than }: &OlderThan,
    csv: bool,
) -> anyhow::Result<ExitCode> {
    let (older_than, state) = (*older_than, v1::EntryState::Parked);
    let wanted = Wanted { state, older_than, include_content: true };
    if csv {
        output::data(&csv::heading());
    }
    let mut next = Some(String::new());
    while let Some(page) = next {
        let (entries, following) = client.page(wanted, page, u32::MAX).await?;
        for entry in &entries {
            if csv {
                output::data(&csv::line(entry));
            } else {
                output::json(entry)?;
            }
        }
        next = following;
    }
    Ok(ExitCode::SUCCESS)
}

fn wanted_state(state: State) -> v1::EntryState {
    match state {
        State::Waiting => v1::EntryState::Waiting,
        State::Sending => v1::EntryState::Sending,
        State::InDoubt => v1::EntryState::InDoubt,
        State::Delivered => v1::EntryState::Delivered,
        State::Parked => v1::EntryState::Parked,
        State::Discarded => v1::EntryState::Discarded,
    }
}
