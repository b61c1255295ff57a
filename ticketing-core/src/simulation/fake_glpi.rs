//! A GLPI without HTTP: tickets by reference, each visible from the moment its insert commits.

use super::{
    BTreeMap, Found, MOST_LATE_MS, ReadError, Reference, Rng, SignedDuration, Timestamp, Window,
    Written,
};

/// How far the real client widens a window; see `glpi/search.rs`.
const MARGIN: SignedDuration = SignedDuration::from_hours(26);

#[derive(Default)]
pub(super) struct FakeGlpi {
    /// Reference → tickets: id and when they are committed.
    tickets: BTreeMap<Reference, Vec<(u32, Timestamp)>>,
    last_id: u32,
    mood: Mood,
    /// A lie: every ticket is made twice.
    pub(super) doubles: bool,
    /// A lie: tickets are confirmed and not made.
    pub(super) loses: bool,
}

#[derive(Default, Clone, Copy)]
enum Mood {
    #[default]
    Fine,
    /// Refuses connections.
    Down,
    /// Answers anything.
    Erratic,
    /// Refuses for good.
    Refusing,
}

impl FakeGlpi {
    pub(super) fn change_mood(&mut self, rng: &mut Rng) {
        self.mood = match rng.u8(0..8) {
            0..3 => Mood::Fine,
            3 => Mood::Down,
            4..7 => Mood::Erratic,
            _ => Mood::Refusing,
        };
    }

    pub(super) fn recover(&mut self) {
        self.mood = Mood::Fine;
    }

    pub(super) fn receive(
        &mut self,
        reference: &Reference,
        now: Timestamp,
        rng: &mut Rng,
    ) -> Written {
        match self.mood {
            Mood::Fine => Written::Done(self.commit(reference, now)),
            Mood::Down => Written::Unreachable("down".into()),
            Mood::Refusing => Written::Refused("no right".into()),
            Mood::Erratic => match rng.u8(0..4) {
                0 => Written::Done(self.commit(reference, now)),
                1 => Written::Unknown("lost before".into()),
                2 => {
                    self.commit(reference, now);
                    Written::Unknown("answer lost".into())
                }
                _ => {
                    let late = SignedDuration::from_millis(rng.i64(0..MOST_LATE_MS));
                    self.commit(reference, now + late);
                    Written::Unknown("commits late".into())
                }
            },
        }
    }

    pub(super) fn find(
        &self,
        reference: &Reference,
        window: Window,
        now: Timestamp,
    ) -> Result<Found, ReadError> {
        if matches!(self.mood, Mood::Down) {
            return Err(ReadError("down".into()));
        }
        let (from, until) = (window.from - MARGIN, window.until + MARGIN);
        let tickets = self.tickets.get(reference).map(Vec::as_slice).unwrap_or_default();
        let visible = tickets.iter().filter(|(_, at)| *at <= now && (from..=until).contains(at));
        let ids: Vec<u32> = visible.map(|(id, _)| *id).collect();
        Ok(match ids.as_slice() {
            [] => Found::Nothing,
            [id] => Found::One(*id),
            _ => Found::Several(ids),
        })
    }

    fn commit(&mut self, reference: &Reference, at: Timestamp) -> u32 {
        let copies = if self.loses { 0 } else { 1 + usize::from(self.doubles) };
        for _ in 0..copies {
            self.last_id += 1;
            self.tickets.entry(reference.clone()).or_default().push((self.last_id, at));
        }
        self.last_id.max(1)
    }

    pub(super) fn doubled(&self) -> Option<&Reference> {
        self.tickets.iter().find(|(_, copies)| copies.len() > 1).map(|(reference, _)| reference)
    }

    pub(super) fn copies(&self, reference: &Reference) -> usize {
        self.tickets.get(reference).map_or(0, Vec::len)
    }

    pub(super) fn count(&self) -> usize {
        self.tickets.values().map(Vec::len).sum()
    }
}
