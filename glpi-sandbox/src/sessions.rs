//! Sessions: who is logged in, and in which entity.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};

use crate::coerce::{self, Refusal};
use crate::message::{Language, Message};
use crate::sandbox::Options;
use crate::seed::{self, User};
use crate::ticket::Ticket;

#[derive(Debug)]
pub(crate) struct Sessions {
    register: Mutex<Register>,
    /// Spoken by users who have no language of their own.
    language: Language,
}

#[derive(Debug)]
struct Register {
    open: HashMap<String, Session>,
    ever_opened: u64,
    chance: fastrand::Rng,
}

#[derive(Debug)]
struct Session {
    user: &'static User,
    entity: u64,
    recursive: bool,
    entity_changed: bool,
    lock: Arc<tokio::sync::Mutex<()>>,
}

/// Who makes a request: a session as it was when the request came.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    pub(crate) token: String,
    pub(crate) user: &'static User,
    pub(crate) entity: u64,
    pub(crate) recursive: bool,
    pub(crate) entity_changed: bool,
    pub(crate) language: Language,
    /// When the request came, by GLPI's clock; stamps all that it writes.
    pub(crate) arrived: String,
}

impl Sessions {
    pub(crate) fn new(options: &Options) -> Self {
        let chance = fastrand::Rng::with_seed(options.seed);
        let register = Register { open: HashMap::new(), ever_opened: 0, chance };
        Self { register: Mutex::new(register), language: options.language }
    }

    /// Opens a session for `user` and returns its token.
    pub(crate) fn open(&self, user: &'static User) -> String {
        let mut register = self.register();
        let token: String = (0..26).map(|_| register.chance.digit(32)).collect();
        let session = Session {
            user,
            entity: 0,
            recursive: true,
            entity_changed: false,
            lock: Arc::default(),
        };
        register.open.insert(token.clone(), session);
        register.ever_opened += 1;
        token
    }

    /// The holder of a token, who comes at `arrived`.
    pub(crate) fn visitor(&self, token: &str, arrived: String) -> Option<Visitor> {
        let register = self.register();
        let session = register.open.get(token)?;
        Some(Visitor {
            token: token.to_owned(),
            user: session.user,
            entity: session.entity,
            recursive: session.recursive,
            entity_changed: session.entity_changed,
            language: session.user.language.unwrap_or(self.language),
            arrived,
        })
    }

    /// PHP's lock on the session's file.
    pub(crate) fn lock(&self, token: &str) -> Option<Arc<tokio::sync::Mutex<()>>> {
        self.register().open.get(token).map(|session| Arc::clone(&session.lock))
    }

    pub(crate) fn close(&self, token: &str) -> bool {
        self.register().open.remove(token).is_some()
    }

    pub(crate) fn close_all(&self) {
        self.register().open.clear();
    }

    pub(crate) fn count(&self) -> usize {
        self.register().open.len()
    }

    pub(crate) fn ever_opened(&self) -> u64 {
        self.register().ever_opened
    }

    /// Moves a session to another entity, for whoever shares it.
    pub(crate) fn change_entity(&self, token: &str, entity: u64, recursive: bool) -> bool {
        if !seed::ENTITIES.iter().any(|known| known.id == entity) {
            return false;
        }
        let mut register = self.register();
        let Some(session) = register.open.get_mut(token) else { return false };
        session.entity = entity;
        session.recursive = recursive;
        session.entity_changed = true;
        true
    }

    fn register(&self) -> MutexGuard<'_, Register> {
        self.register.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Visitor {
    /// Whether the ticket is in the session's entities and concerns its user.
    pub(crate) fn sees(&self, ticket: &Ticket) -> bool {
        self.in_active_entity(ticket.entity)
            && (!self.user.profile.sees_only_its_own() || ticket.has_party(self.user.id))
    }

    fn in_active_entity(&self, entity: u64) -> bool {
        seed::entities_from(self.entity, self.recursive).any(|active| active == entity)
    }

    /// The entity of a ticket to be: the session's own unless it names one.
    pub(crate) fn entity_of(&self, input: &Map<String, Value>) -> Result<u64, Refusal> {
        let Some(wanted) = input.get("entities_id").filter(|value| !value.is_null()) else {
            return Ok(self.entity);
        };
        coerce::number(wanted)
            .and_then(|entity| u64::try_from(entity).ok())
            .filter(|entity| self.in_active_entity(*entity))
            .ok_or(Refusal::Said(Message::NoRight))
    }
}
