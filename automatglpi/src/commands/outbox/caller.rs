//! A caller who asks what is kept, or that it be erased.

use std::process::ExitCode;

use ticketing_proto::v1;

use super::{
    client::Client,
    view::{self, EntryView, ErasedView, Found},
};
use crate::{
    cli::{Format, Personal},
    output,
};

/// What is erased besides a caller's settled and parked requests.
#[derive(Clone, Copy)]
pub(super) struct Reach {
    pub(super) also_waiting: bool,
    pub(super) mentioned: bool,
}

/// How many entries were found.
#[derive(Default)]
struct Counted {
    all: usize,
    mentioning: usize,
}

/// Shows a caller's requests.
pub(super) async fn find(
    client: Client,
    caller: &str,
    Personal { personal }: Personal,
    format: Format,
) -> anyhow::Result<ExitCode> {
    if show(client, caller, personal, format).await?.all == 0 {
        say_that_nothing_is_kept();
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows a caller's requests, and how they would be erased.
pub(super) async fn show_what_would_be_erased(
    client: Client,
    caller: &str,
    format: Format,
) -> anyhow::Result<ExitCode> {
    let found = show(client, caller, false, format).await?;
    if found.all == 0 {
        say_that_nothing_is_kept();
        return Ok(ExitCode::SUCCESS);
    }
    output::talk("nothing has been erased yet; the same with --yes does it");
    if found.mentioning > 0 {
        output::talk(&format!(
            "{} only mention that caller: look at them with `outbox find --personal`; --mentioned \
             erases them too",
            found.mentioning
        ));
    }
    Ok(ExitCode::FAILURE)
}

/// Whoever hears it might take it for a proof.
fn say_that_nothing_is_kept() {
    output::talk("nothing is kept under that spelling");
    output::talk(
        "searched were the caller's name, e-mail address, login and numbers, which must be the same \
         as a whole but for case, accents, titles and the order of words; and, for two words or six \
         digits and more, all that was said. Callers are noted as heard: try other spellings, the \
         number and the address as well",
    );
}

async fn show(
    mut client: Client,
    caller: &str,
    personal: bool,
    format: Format,
) -> anyhow::Result<Counted> {
    let mut entries: Vec<EntryView> = Vec::new();
    let mut count = Counted::default();
    let mut next = Some(String::new());
    while let Some(page) = next {
        let (found, following) = client.find_caller(caller, page, personal).await?;
        count.all += found.len();
        count.mentioning +=
            found.iter().filter(|entry| entry.found == Some(Found::Mentioned)).count();
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
    Reach { also_waiting, mentioned }: Reach,
    format: Format,
) -> anyhow::Result<ExitCode> {
    let (mut erased, mut left, mut mentioning, mut traces_left) = (0, 0, 0, false);
    let mut next = Some(String::new());
    while let Some(page) = next {
        let answer = client.erase_caller(caller, page, also_waiting, mentioned).await?;
        for entry in answer.entries {
            match entry.erasure() {
                v1::Erasure::Erased => erased += 1,
                v1::Erasure::Mentions => mentioning += 1,
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
    let all = erased + left + mentioning;
    if all == 0 {
        say_that_nothing_is_kept();
    }
    if traces_left {
        output::talk(
            "the words may still be in the store's files: in PostgreSQL until it is vacuumed, with \
             SQLite until no other program reads the outbox",
        );
    }
    if left > 0 {
        output::talk(&format!(
            "{left} of {all} are left; --also-waiting gives up those that have still to be delivered"
        ));
    }
    if mentioning > 0 {
        output::talk(&format!(
            "{mentioning} of {all} only mention that caller and are left: look at them with `outbox \
             find --personal`; --mentioned erases them too"
        ));
    }
    Ok(if left + mentioning > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
