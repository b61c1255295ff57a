//! The outbox: every acknowledged request is a row on disk until GLPI has it.
//!
//! ```text
//!            insert (leased)                    settle
//! caller ──────────▶ SENDING ──── done ────────▶ DELIVERED   (terminal)
//!            │        │ │ │ └──── refused ─────▶ PARKED ──┐
//!     insert │  claim │ │ └────── unreachable ─▶ WAITING  │ retry (operator)
//!            ▼        │ └──────── unknown ─────▶ IN DOUBT ◀┘ if ever doubtful, else WAITING
//!         WAITING ────┘                            │  ▲
//!                         found ▶ DELIVERED ◀──────┤  │ not found once, or look-up failed
//!                         not found again ▶ SENDING┘──┘
//! ```
//! `discard` (operator) turns WAITING, IN DOUBT and PARKED rows into DISCARDED (terminal).
//!
//! Invariants, held by every store and proven by the conformance suite:
//! - A row in SENDING has a lease; one in WAITING has none; one in IN DOUBT may have one (while it
//!   is being looked up).
//! - Every change by a courier names state *and* lease token; if they no longer match, nothing is
//!   changed and the courier is told so.
//! - A SENDING row whose lease has expired becomes IN DOUBT, never WAITING: its request may have
//!   left.
//! - One (client, key) names at most one row at a time.
//! - DELIVERED is terminal.

use std::fmt::Debug;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ticket::{NewFollowup, NewTicket, Reference};

#[cfg(test)]
mod conformance;
mod measured;
pub mod notices;
pub mod postgres;
mod row;
pub mod sqlite;
pub(crate) mod turns;

pub(crate) use measured::measured;

pub use notices::{Alarm, Notice, NoticeDraft, NoticeOutcome};

/// What is to be written to GLPI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "one per request; a box would only add a hop")]
pub enum Work {
    /// Open a ticket.
    Ticket(NewTicket),
    /// Add to the ticket of the row's parent.
    Followup(NewFollowup),
}

/// A row to be inserted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Its name. A collision is the caller's to resolve by drawing again.
    pub reference: Reference,
    /// Who asked; keys are scoped by it.
    pub client: String,
    /// What makes repeats recognisable, if anything does.
    pub key: Option<Key>,
    /// Digest of the content, to tell a repeat from a reused key.
    pub fingerprint: Digest,
    /// The reference whose ticket a follow-up belongs to.
    pub parent: Option<Reference>,
    /// What to write.
    pub work: Work,
}

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// An idempotency key. Only its digest is stored: a key may hold a phone number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Digest of the key's text.
    pub digest: Digest,
    /// How long it protects, from the first request on; `None` for ever.
    pub window: Option<SignedDuration>,
}

/// The right to work on a row until a moment.
///
/// The duration must exceed the longest request to GLPI by the clock skew between replicas, or a
/// row still in flight could be taken by another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Drawn anew for every lease; later changes must name it.
    pub token: i64,
    /// From this moment on others may take the row.
    pub until: Timestamp,
}

/// Where a row stands. Stored under the names of [`State::as_str`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Certainly not in GLPI; to be sent when due.
    Waiting,
    /// Leased to a courier; a request may have left.
    Sending,
    /// May be in GLPI; to be looked up when due.
    InDoubt,
    /// In GLPI.
    Delivered,
    /// GLPI refused it; a person decides.
    Parked,
    /// A person decided that it shall not be sent.
    Discarded,
}

impl State {
    /// Every state, in the order of a row's life.
    pub const ALL: [Self; 6] = [
        Self::Waiting,
        Self::Sending,
        Self::InDoubt,
        Self::Delivered,
        Self::Parked,
        Self::Discarded,
    ];

    /// The name in the database and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sending => "sending",
            Self::InDoubt => "in_doubt",
            Self::Delivered => "delivered",
            Self::Parked => "parked",
            Self::Discarded => "discarded",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// A row as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub reference: Reference,
    /// Who asked.
    pub client: String,
    /// Digest of the content.
    pub fingerprint: Digest,
    /// The reference whose ticket a follow-up belongs to.
    pub parent: Option<Reference>,
    /// GLPI's number of the parent's ticket, once it is delivered.
    pub parent_ticket: Option<u32>,
    /// What to write; `None` once personal data has been erased.
    pub work: Option<Work>,
    /// Where it stands.
    pub state: State,
    /// The lease it is under.
    pub lease: Option<Lease>,
    /// Requests sent so far, or about to be.
    pub attempts: u32,
    /// How many of them had an unknown end. Above zero, GLPI is searched before sending again.
    pub doubts: u32,
    /// Look-ups in a row that did not find it.
    pub lookups: u32,
    /// When it was recorded.
    pub accepted_at: Timestamp,
    /// When it is to be worked on next.
    pub due_at: Timestamp,
    /// First moment from which a request may have left that is still open to doubt.
    pub first_send_at: Option<Timestamp>,
    /// Last such moment.
    pub last_send_at: Option<Timestamp>,
    /// When it was delivered, parked or discarded.
    pub settled_at: Option<Timestamp>,
    /// GLPI's number of the ticket; of a follow-up, the number of the follow-up.
    pub glpi_id: Option<u32>,
    /// Why the last attempt did not end in delivery; never personal data.
    pub reason: Option<String>,
}

/// What became of an insert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inserted {
    /// The row is on disk.
    New(Entry),
    /// The key names this row already; nothing was written.
    Existing(Entry),
    /// The reference is taken by another request; draw another and try again.
    ReferenceTaken,
    /// The ticket that it was to add to has been given up; nothing was written.
    ParentDiscarded,
}

/// The terms of a claim.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    /// The present moment.
    pub now: Timestamp,
    /// The lease to put on each row.
    pub lease: Lease,
    /// How long after its last send a row in doubt must wait before it is looked up: GLPI may
    /// still be working on a request whose client has left.
    pub doubt_wait: SignedDuration,
    /// How many rows at most.
    pub limit: u32,
}

/// How a courier's work on a row ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// GLPI has it under this id.
    Delivered {
        /// GLPI's number of the ticket or follow-up.
        glpi_id: u32,
    },
    /// Certainly not applied (and `doubts` stays as it is): send at `due`.
    Retry {
        /// When to try again.
        due: Timestamp,
        /// Why it failed.
        reason: String,
    },
    /// The request may have been applied (`doubts` + 1, `lookups` = 0): look it up at `due`.
    Doubt {
        /// When to look it up.
        due: Timestamp,
        /// Why its end is unknown.
        reason: String,
    },
    /// A look-up of a row in doubt answered "not there" (`lookups` + 1): look again at `due`.
    NotFound {
        /// When to look again.
        due: Timestamp,
    },
    /// A look-up of a row in doubt got no answer: look again at `due`.
    LookupFailed {
        /// When to look again.
        due: Timestamp,
        /// Why there was no answer.
        reason: String,
    },
    /// GLPI refused it for good.
    Parked {
        /// GLPI's reason.
        reason: String,
    },
    /// Nothing was done (shutdown, or no free place at GLPI): as it was before the lease, due now.
    /// A row in SENDING goes back to WAITING and `attempts` - 1; one in doubt stays in doubt.
    Released,
}

/// What became of a row whose words were to be erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erasure {
    /// They are gone; an open or parked row has been given up.
    Erased,
    /// It has still to be delivered and was left as it is.
    StillOpen,
    /// Somebody works on it at this moment; it was left as it is.
    BeingSent,
    /// There is no such row.
    Unknown,
}

/// Which rows to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only rows in this state.
    pub state: Option<State>,
    /// Only rows recorded before this moment.
    pub accepted_before: Option<Timestamp>,
    /// Only rows after this one in the order of recording: the last row of the previous page.
    pub after: Option<Reference>,
    /// How many rows at most.
    pub limit: u32,
}

/// How the outbox stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Rows by state, in the order of [`State::ALL`].
    pub rows: [u64; 6],
    /// When the oldest row that is waiting, being sent or in doubt was recorded.
    pub oldest_open: Option<Timestamp>,
    /// When the row that has been parked longest was parked.
    pub oldest_parked: Option<Timestamp>,
}

/// Why a store could not do what it was asked. Nothing may be believed about the row then: neither
/// that the change is on disk nor that it is not.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the file open.
    #[error("the outbox {path} is in use by another process")]
    InUse {
        /// The file.
        path: String,
    },
    /// The store does not answer or cannot write: disk full, read-only, server gone.
    #[error("the outbox store is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The store cannot be used as it is, until a person mends it.
    #[error("the outbox store cannot be used: {problem}")]
    Unusable {
        /// What is wrong and what to do.
        problem: String,
    },
}

/// Where rows are kept.
///
/// Every method is one transaction: when it returns `Ok`, the change is on disk. A call whose
/// future is dropped may still take effect.
#[async_trait]
pub trait Outbox: Debug + Send + Sync + 'static {
    /// Records a request; with a lease the row starts in SENDING (attempt 1), else in WAITING, due
    /// at once.
    ///
    /// If the client's key names a row whose window has passed by `now`, that row loses the key.
    /// A follow-up on a DISCARDED row is not recorded.
    async fn insert(
        &self,
        draft: Draft,
        lease: Option<Lease>,
        now: Timestamp,
    ) -> Result<Inserted, StoreError>;

    /// Takes rows to work on: clients take turns, and of each the earliest due come first. While
    /// others fill every claim, a client that comes late may wait some claims for its first.
    ///
    /// First turns SENDING rows with an expired lease into IN DOUBT (`doubts` + 1, `lookups` = 0,
    /// due at last send + `doubt_wait`) and takes expired leases off rows in doubt. Then takes due
    /// rows that have no lease: WAITING ones become SENDING (`attempts` + 1, sends stamped), rows
    /// IN DOUBT keep their state. Follow-ups are left alone until their parent is delivered.
    async fn claim(&self, claim: Claim) -> Result<Vec<Entry>, StoreError>;

    /// Turns a leased row in doubt into SENDING (`attempts` + 1, last send stamped), right before
    /// the request leaves. `false`: the lease is no longer ours, don't send.
    async fn begin_send(
        &self,
        reference: &Reference,
        token: i64,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Records how the work ended and ends the lease; with it, what people are told of that.
    /// `false`: the lease was no longer ours and nothing was changed.
    ///
    /// [`Settlement::Retry`] on a row that was never in doubt forgets its send times.
    async fn settle(
        &self,
        reference: &Reference,
        token: i64,
        settlement: Settlement,
        notices: Vec<NoticeDraft>,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// The row of that reference.
    async fn find(&self, reference: &Reference) -> Result<Option<Entry>, StoreError>;

    /// The ticket row delivered under that GLPI number.
    async fn find_delivered(&self, ticket: u32) -> Result<Option<Entry>, StoreError>;

    /// When the next row will be due or its lease expire; `None` if nothing is open.
    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError>;

    /// Rows in the order of recording.
    async fn list(&self, filter: Filter) -> Result<Vec<Entry>, StoreError>;

    /// How the outbox stands.
    async fn stats(&self) -> Result<Stats, StoreError>;

    /// As [`Self::stats`], without counting rows that are DELIVERED or DISCARDED: it costs as much
    /// as is left to do, however much has been done.
    async fn left_to_do(&self) -> Result<Stats, StoreError>;

    /// Makes a row PARKED, WAITING or IN DOUBT due now. A parked row becomes WAITING, or IN DOUBT
    /// if it was ever doubtful. `false`: no such row in one of these states, or it is leased.
    async fn retry(&self, reference: &Reference, now: Timestamp) -> Result<bool, StoreError>;

    /// Gives up a row that is PARKED, WAITING or IN DOUBT and not leased, and with a ticket its
    /// follow-ups in these states. `false` as in `retry`.
    async fn discard(&self, reference: &Reference, now: Timestamp) -> Result<bool, StoreError>;

    /// Erases what callers said from at most `limit` rows DELIVERED or DISCARDED before `before`,
    /// and deletes as many notices settled before; returns how many of both. References, digests
    /// and GLPI's numbers stay.
    async fn erase_settled_before(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;

    /// A ticket's follow-ups, in the order of recording.
    async fn followups(&self, ticket: &Reference) -> Result<Vec<Entry>, StoreError>;

    /// Erases what the caller said from a row that is DELIVERED, DISCARDED or PARKED, with
    /// `also_open` also from one that is WAITING or IN DOUBT and not leased. A row not yet settled
    /// or parked becomes DISCARDED, and with a ticket so do its follow-ups, which are erased too.
    /// Notices that name the row lose their body.
    async fn erase(
        &self,
        reference: &Reference,
        also_open: bool,
        now: Timestamp,
    ) -> Result<Erasure, StoreError>;

    /// Removes what erased rows left behind in the store's files. `false`: some may still be there.
    async fn scrub(&self) -> Result<bool, StoreError>;

    /// Gives up and erases at most `limit` rows PARKED before `before`, as [`Self::erase`] does;
    /// returns how many.
    async fn erase_parked_before(
        &self,
        before: Timestamp,
        limit: u32,
        now: Timestamp,
    ) -> Result<u64, StoreError>;

    /// How many rows were PARKED before `before` and still are.
    async fn count_parked_before(&self, before: Timestamp) -> Result<u64, StoreError>;

    /// Raises an alarm, and with it records what people are told. `true` for the one of all
    /// replicas that raised it; `false`: it stood already and nothing was recorded.
    async fn raise_alarm(
        &self,
        name: &str,
        notices: Vec<NoticeDraft>,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Ends an alarm, and with it records what people are told. `true` for the one of all replicas
    /// that ended it; `false`: it did not stand and nothing was recorded.
    async fn clear_alarm(
        &self,
        name: &str,
        notices: Vec<NoticeDraft>,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Alarms that stand, by name; they outlive a restart.
    async fn alarms(&self) -> Result<Vec<Alarm>, StoreError>;

    /// Takes notices to be sent: first those whose lease has expired (`interrupted`), then those
    /// that are due, the earliest first (`attempts` + 1).
    async fn claim_notices(
        &self,
        now: Timestamp,
        lease: Lease,
        limit: u32,
    ) -> Result<Vec<Notice>, StoreError>;

    /// Records how the sending of a notice ended and ends its lease. `false`: the lease was no
    /// longer ours and nothing was changed.
    async fn settle_notice(
        &self,
        id: i64,
        token: i64,
        outcome: NoticeOutcome,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// What a store does for itself from time to time, about once a minute.
    async fn upkeep(&self) -> Result<(), StoreError>;

    /// Treats every lease as expired: at start, by a store that knows that it has no other owner.
    /// Others do nothing.
    async fn expire_leases(&self, now: Timestamp) -> Result<(), StoreError>;

    /// Writes everything out and closes the store.
    async fn close(&self) -> Result<(), StoreError>;
}
