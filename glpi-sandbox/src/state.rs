//! What the sandbox's GLPI remembers: sessions, tickets, follow-ups; and its clock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, civil};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::coerce::{self, Refusal};
use crate::draft::{self, Draft};
use crate::message::Message;
use crate::sandbox::Options;
use crate::sessions::{Sessions, Visitor};
use crate::text;
use crate::ticket::{Actor, Role, Ticket};

/// A follow-up as GLPI holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Followup {
    /// Its number.
    pub id: u64,
    /// The ticket it belongs to.
    pub ticket: u64,
    /// In the stored form, as [`Ticket::content`] is.
    pub content: String,
    /// Whether only technicians see it.
    pub private: bool,
    /// The user whose session wrote it.
    pub author: u64,
    /// When it was written, in the server's zone.
    pub date: String,
}

/// Two locks, each held for as long as it takes to touch memory.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) sessions: Sessions,
    records: Mutex<Records>,
    created: watch::Sender<u64>,
    time_zone: TimeZone,
    clock_ahead: SignedDuration,
}

#[derive(Debug, Default)]
struct Records {
    tickets: BTreeMap<u64, Arc<Ticket>>,
    last_ticket: u64,
    created: u64,
    followups: Vec<Followup>,
    last_followup: u64,
    last_link: u64,
}

impl World {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            sessions: Sessions::new(options),
            records: Mutex::new(Records::default()),
            created: watch::Sender::new(0),
            time_zone: options.time_zone.clone(),
            clock_ahead: options.clock_ahead,
        }
    }

    /// GLPI's clock, as it stamps rows.
    pub(crate) fn now(&self) -> String {
        #[expect(clippy::disallowed_methods, reason = "the sandbox's one clock")]
        let now = Timestamp::now();
        let here = self.time_zone.to_datetime(now.saturating_add(self.clock_ahead).unwrap_or(now));
        format!(
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
            here.year(),
            here.month(),
            here.day(),
            here.hour(),
            here.minute(),
            here.second()
        )
    }

    /// A stamp of [`World::now`] as an HTTP date.
    pub(crate) fn http_date(&self, stamp: &str) -> Option<String> {
        let here = civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", stamp).ok()?;
        let instant = self.time_zone.to_timestamp(here).ok()?;
        Some(instant.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
    }

    /// Stores a ticket read from a client's `input` and returns it.
    pub(crate) fn add_ticket(
        &self,
        visitor: &Visitor,
        input: &Map<String, Value>,
    ) -> Result<Arc<Ticket>, Refusal> {
        let draft = draft_ticket(visitor, input)?;
        let ticket = self.records().insert(draft);
        self.created.send_if_modified(|created| {
            *created = ticket.order.max(*created);
            true
        });
        Ok(ticket)
    }

    /// The same, but nothing is stored; the number is a lie.
    pub(crate) fn pretend_ticket(
        &self,
        visitor: &Visitor,
        input: &Map<String, Value>,
    ) -> Result<Arc<Ticket>, Refusal> {
        let mut draft = draft_ticket(visitor, input)?;
        let mut records = self.records();
        records.last_ticket += 1;
        draft.ticket.id = records.last_ticket;
        Ok(Arc::new(draft.ticket))
    }

    pub(crate) fn ticket(&self, id: u64) -> Option<Arc<Ticket>> {
        self.records().tickets.get(&id).map(Arc::clone)
    }

    /// The tickets that pass, by id. The lock is held while `passes` runs, so
    /// it should look at numbers and dates only.
    pub(crate) fn select(&self, passes: impl Fn(&Ticket) -> bool) -> Vec<Arc<Ticket>> {
        let records = self.records();
        records.tickets.values().filter(|ticket| passes(ticket)).map(Arc::clone).collect()
    }

    /// Changes a ticket, if it exists, and stamps the change.
    pub(crate) fn change_ticket<T>(
        &self,
        id: u64,
        change: impl FnOnce(&mut Ticket) -> T,
    ) -> Option<T> {
        let now = self.now();
        let mut records = self.records();
        let ticket = Arc::make_mut(records.tickets.get_mut(&id)?);
        ticket.date_mod = now;
        Some(change(ticket))
    }

    pub(crate) async fn wait_for_tickets(&self, created: u64) {
        let enough = |so_far: &u64| *so_far >= created;
        self.created.subscribe().wait_for(enough).await.expect("the sender is a field of `self`");
    }

    pub(crate) fn purge_ticket(&self, id: u64) -> bool {
        self.records().tickets.remove(&id).is_some()
    }

    /// Links a user to a ticket; `None` if they are linked already.
    pub(crate) fn add_actor(&self, ticket: u64, role: Role, user: u64) -> Option<u64> {
        let mut records = self.records();
        let row = records.last_link + 1;
        let ticket = Arc::make_mut(records.tickets.get_mut(&ticket)?);
        let actors = ticket.actors_mut(role);
        if actors.iter().any(|actor| actor.user == user) {
            return None;
        }
        actors.push(Actor { row, user, notify: true, email: String::new() });
        records.last_link = row;
        Some(row)
    }

    pub(crate) fn tickets(&self) -> Vec<Ticket> {
        let mut tickets = self.select(|_| true);
        tickets.sort_by_key(|ticket| ticket.order);
        tickets.into_iter().map(Arc::unwrap_or_clone).collect()
    }

    /// The tickets created last, the newest first.
    pub(crate) fn newest(&self, count: usize) -> Vec<Arc<Ticket>> {
        let records = self.records();
        let mut newest: Vec<_> =
            records.tickets.values().rev().take(count).map(Arc::clone).collect();
        newest.sort_by_key(|ticket| std::cmp::Reverse(ticket.order));
        newest
    }

    pub(crate) fn ticket_count(&self) -> usize {
        self.records().tickets.len()
    }

    /// Adds a follow-up, unless there is no such ticket or nothing is said.
    pub(crate) fn add_followup(
        &self,
        visitor: &Visitor,
        input: &Map<String, Value>,
        store: bool,
    ) -> Result<u64, Refusal> {
        let about_a_ticket = input.get("itemtype").and_then(Value::as_str) == Some("Ticket");
        let ticket = coerce::ids(input.get("items_id")).first().copied().unwrap_or(0);
        let seen = self.ticket(ticket).is_some_and(|ticket| visitor.sees(&ticket));
        if !about_a_ticket || !seen {
            return Err(Refusal::Said(Message::NoRight));
        }
        let content = coerce::text(input.get("content"))?;
        if content.is_empty() {
            return Err(Refusal::Said(Message::FollowupWithoutContent));
        }
        let followup = Followup {
            id: 0,
            ticket,
            content: text::encode(&content),
            private: coerce::ids(input.get("is_private")).first() == Some(&1),
            author: visitor.user.id,
            date: visitor.arrived.clone(),
        };
        let mut records = self.records();
        records.last_followup += 1;
        let id = records.last_followup;
        if store {
            records.followups.push(Followup { id, ..followup });
        }
        Ok(id)
    }

    pub(crate) fn followups(&self) -> Vec<Followup> {
        self.records().followups.clone()
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn draft_ticket(visitor: &Visitor, input: &Map<String, Value>) -> Result<Draft, Refusal> {
    let entity = visitor.entity_of(input)?;
    draft::read(input, visitor.user.id, visitor.user.profile, entity, &visitor.arrived)
}

impl Records {
    /// Gives out the number and the links' ids, and stores the ticket.
    ///
    /// A free number that the client chose is used as it is and moves the
    /// counter for ever; a taken one makes the ticket a clone of its holder.
    fn insert(&mut self, draft: Draft) -> Arc<Ticket> {
        let Draft { wanted_id, mut ticket, given } = draft;
        let source = self.tickets.get(&wanted_id).map(Arc::clone);
        ticket.id = match (wanted_id, &source) {
            (0, _) | (_, Some(_)) => self.last_ticket + 1,
            (free, None) => free,
        };
        if let Some(source) = source {
            ticket = clone_of(&source, ticket, &given);
        }
        self.last_ticket = self.last_ticket.max(ticket.id);
        self.created += 1;
        ticket.order = self.created;
        for role in Role::ALL {
            for actor in ticket.actors_mut(role) {
                self.last_link += 1;
                actor.row = self.last_link;
            }
        }
        for group in &mut ticket.groups {
            self.last_link += 1;
            group.row = self.last_link;
        }
        let ticket = Arc::new(ticket);
        self.tickets.insert(ticket.id, Arc::clone(&ticket));
        ticket
    }
}

/// The source with what the client gave laid over it.
fn clone_of(source: &Ticket, draft: Ticket, given: &Map<String, Value>) -> Ticket {
    let has = |field: &str| given.contains_key(field);
    Ticket {
        id: draft.id,
        name: if has("name") { draft.name } else { source.name.clone() },
        content: if has("content") { draft.content } else { source.content.clone() },
        urgency: if has("urgency") { draft.urgency } else { source.urgency },
        entity: draft.entity,
        recipient: draft.recipient,
        date: draft.date,
        date_creation: draft.date_creation,
        date_mod: draft.date_mod,
        ..source.clone()
    }
}
