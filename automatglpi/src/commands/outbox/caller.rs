//! A caller who asks what is kept, or that it be erased.

use std::process::ExitCode;

use ticketing_proto::v1;

use super::{
    client::Client,
    view::{self, EntryView, ErasedView},
};
use crate::{
    cli::{Format, Personal},
    output,
};

/// Shows a caller's requests.
pub(super) async fn find(
    client: Client,
    caller: &str,
    Personal { personal }: Personal,
    format: Format,
) -> anyhow::Result<ExitCode> {
    if show(client, caller, personal, format).await? == 0 {
        output::talk("nothing is kept of that caller");
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows a caller's requests, and how they would be erased.
pub(super) async fn show_what_would_be_erased(
    client: Client,
    caller: &str,
    format: Format,
) -> anyhow::Result<ExitCode> {
    if show(client, caller, false, format).await? == 0 {
        output::talk("nothing is kept of that caller");
        return Ok(ExitCode::SUCCESS);
    }
    output::talk("nothing has been erased yet; the same with --yes does it");
    Ok(ExitCode::FAILURE)
}

async fn show(
    mut client: Client,
    caller: &str,
    personal: bool,
    format: Format,
) -> anyhow::Result<usize> {
    let mut entries: Vec<EntryView> = Vec::new();
    let mut count = 0;
    let mut next = Some(String::new());
    while let Some(page) = next {
        let (found, following) = client.find_caller(caller, page, personal).await?;
        count += found.len();
        if format.json {
            found.iter().try_for_each(output::json)?;
        } else {
            entries.extend(found);
        }
        next = following;
    }
    if !entries.is_empty() {
        output::data(&view::list(entries, personal));
    }
    Ok(count)
}

/// Erases a caller's requests and says what became of each.
pub(super) async fn erase(
    mut client: Client,
    caller: &str,
    also_waiting: bool,
    format: Format,
) -> anyhow::Result<ExitCode> {
    let (mut erased, mut left, mut traces_left) = (0, 0, false);
    let mut next = Some(String::new());
    while let Some(page) = next {
        let answer = client.erase_caller(caller, page, also_waiting).await?;
        for entry in answer.entries {
            match entry.erasure() {
                v1::Erasure::Erased => erased += 1,
                v1::Erasure::Unspecified | v1::Erasure::StillOpen | v1::Erasure::BeingSent => {
                    left += 1;
                }
            }
            let entry = ErasedView::from(entry);
            if format.json {
                output::json(&entry)?;
            } else {
                output::data(&entry.to_string());
            }
        }
        traces_left |= answer.traces_left;
        next = Some(answer.next_page_token).filter(|token| !token.is_empty());
    }
    if erased + left == 0 {
        output::talk("nothing is kept of that caller");
    }
    if traces_left {
        output::talk(
            "the words may still be in the store's files: in PostgreSQL until it is vacuumed, with \
             SQLite until no other program reads the outbox",
        );
    }
    if left > 0 {
        output::talk(&format!(
            "{left} of {} are left; --also-waiting gives up those that have still to be delivered",
            erased + left
        ));
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
