//! How many may be in at once, and how many of them from one place.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use access::{Networks, source};
use meters::doors;

use crate::Guards;

/// What a door has seen since it opened. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Traffic(Arc<Room>);

impl Traffic {
    /// Connections open now.
    pub fn open(&self) -> usize {
        self.0.occupancy().all
    }

    /// Connections let in so far.
    pub fn accepted(&self) -> u64 {
        self.0.accepted.load(Ordering::Relaxed)
    }

    /// Connections closed at once because there were too many, of all or of their source.
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }

    /// TLS handshakes that failed or took too long.
    pub fn failed_handshakes(&self) -> u64 {
        self.0.failed_handshakes.load(Ordering::Relaxed)
    }
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// Too many are in.
    House,
    /// Too many of the same source are in.
    Source,
}

/// The places, taken and free.
#[derive(Debug)]
pub(crate) struct Room {
    listener: doors::Listener,
    most: usize,
    most_per_source: usize,
    trusted: Networks,
    occupancy: Mutex<Occupancy>,
    accepted: AtomicU64,
    refused: AtomicU64,
    failed_handshakes: AtomicU64,
}

/// Bounded by [`Room::most`]: sources that have left are forgotten.
#[derive(Debug, Default)]
struct Occupancy {
    all: usize,
    by_source: HashMap<IpAddr, usize>,
}

/// A place taken; free again when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    room: Arc<Room>,
    _counted: doors::Connection,
    source: Option<IpAddr>,
}

impl Room {
    pub(crate) fn new(listener: doors::Listener, guards: &Guards) -> Arc<Self> {
        Arc::new(Self {
            listener,
            most: guards.connections,
            most_per_source: guards.connections_per_source,
            trusted: guards.trusted_proxies.clone(),
            occupancy: Mutex::default(),
            accepted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            failed_handshakes: AtomicU64::new(0),
        })
    }

    pub(crate) fn traffic(self: &Arc<Self>) -> Traffic {
        Traffic(Arc::clone(self))
    }

    /// Takes a place for a connection from that address.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Result<Place, Full> {
        let source = (!self.trusted.contains(address)).then(|| source(address));
        let taken = self.occupancy().enter(source, self.most, self.most_per_source);
        match taken {
            Ok(()) => {
                self.accepted.fetch_add(1, Ordering::Relaxed);
                Ok(Place {
                    room: Arc::clone(self),
                    _counted: doors::Connection::open(self.listener),
                    source,
                })
            }
            Err(full) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                doors::refused(self.listener, doors::Refusal::TooMany);
                Err(full)
            }
        }
    }

    fn occupancy(&self) -> MutexGuard<'_, Occupancy> {
        // Nothing panics while it is held, so it cannot be half changed.
        self.occupancy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Occupancy {
    fn enter(
        &mut self,
        source: Option<IpAddr>,
        most: usize,
        per_source: usize,
    ) -> Result<(), Full> {
        if self.all >= most {
            return Err(Full::House);
        }
        if let Some(source) = source {
            let of_source = self.by_source.entry(source).or_insert(0);
            if *of_source >= per_source {
                return Err(Full::Source);
            }
            *of_source += 1;
        }
        self.all += 1;
        Ok(())
    }

    fn leave(&mut self, source: Option<IpAddr>) {
        self.all -= 1;
        let Some(source) = source else { return };
        if let Some(of_source) = self.by_source.get_mut(&source) {
            *of_source -= 1;
            if *of_source == 0 {
                self.by_source.remove(&source);
            }
        }
    }
}

impl Place {
    /// Counts that nothing came of it.
    pub(crate) fn handshake_failed(&self) {
        self.room.failed_handshakes.fetch_add(1, Ordering::Relaxed);
        doors::refused(self.room.listener, doors::Refusal::Handshake);
    }

    /// Counts that no request came in time.
    pub(crate) fn was_silent(&self) {
        doors::refused(self.room.listener, doors::Refusal::Silent);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.occupancy().leave(self.source);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(most: usize, per_source: usize, trusted: Option<&str>) -> Arc<Room> {
        Room::new(
            doors::Listener::Http,
            &Guards {
                connections: most,
                connections_per_source: per_source,
                trusted_proxies: trusted
                    .map_or_else(Networks::default, |them| them.parse().unwrap()),
                ..Guards::default()
            },
        )
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_source_gets_its_part_and_others_still_enter() {
        let room = room(4, 2, None);
        let first = room.enter(ip("192.0.2.1")).unwrap();
        let _second = room.enter(ip("192.0.2.1")).unwrap();
        assert_eq!(room.enter(ip("192.0.2.1")).unwrap_err(), Full::Source);
        assert_eq!(room.enter(ip("::ffff:192.0.2.1")).unwrap_err(), Full::Source, "is the same");
        let _other = room.enter(ip("192.0.2.2")).unwrap();
        drop(first);
        let _third = room.enter(ip("192.0.2.1")).unwrap();
        assert_eq!(room.traffic().refused(), 2);
    }

    #[test]
    fn above_the_whole_nobody_enters_until_somebody_leaves() {
        let room = room(2, 2, Some("10.0.0.0/8"));
        let first = room.enter(ip("10.0.0.1")).unwrap();
        let second = room.enter(ip("192.0.2.1")).unwrap();
        assert_eq!(room.enter(ip("192.0.2.2")).unwrap_err(), Full::House);
        assert_eq!(room.enter(ip("10.0.0.1")).unwrap_err(), Full::House);
        drop((first, second));
        assert_eq!(room.traffic().open(), 0);
        assert!(room.occupancy().by_source.is_empty(), "who has left is forgotten");
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_source() {
        let room = room(9, 1, None);
        let _place = room.enter(ip("2001:db8::1")).unwrap();
        assert_eq!(room.enter(ip("2001:db8::ffff:1")).unwrap_err(), Full::Source);
        let _other = room.enter(ip("2001:db8:0:1::1")).unwrap();
    }

    #[test]
    fn a_trusted_proxy_may_bring_as_many_as_there_are_places() {
        let room = room(3, 1, Some("10.0.0.0/8"));
        let places: Vec<_> = (0..3).map(|_| room.enter(ip("10.1.2.3")).unwrap()).collect();
        assert_eq!(room.traffic().open(), places.len());
    }
}
