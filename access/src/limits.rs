//! How many calls may be made, and how many at once.

use std::{
    net::IpAddr,
    num::NonZeroU32,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use governor::{
    DefaultDirectRateLimiter, DefaultKeyedRateLimiter, NotUntil, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use crate::networks;

/// Calls in a time, such as `20/s`, `100/m` or `1000/h`. Twice as many are taken in a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    calls: NonZeroU32,
    per: Duration,
}

/// It is no such rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a rate such as 20/s, 100/m or 1000/h")]
pub struct BadRate;

/// More than anybody needs, and few enough to divide a second by.
const MOST_CALLS: u32 = 1_000_000;

impl FromStr for Rate {
    type Err = BadRate;

    fn from_str(text: &str) -> Result<Self, BadRate> {
        let (calls, unit) = text.trim().split_once('/').ok_or(BadRate)?;
        let calls: NonZeroU32 = calls.parse().map_err(|_no_number| BadRate)?;
        let per = match unit {
            "s" => Duration::from_secs(1),
            "m" => Duration::from_mins(1),
            "h" => Duration::from_hours(1),
            _ => return Err(BadRate),
        };
        if calls.get() > MOST_CALLS { Err(BadRate) } else { Ok(Self { calls, per }) }
    }
}

impl Rate {
    fn quota(self) -> Quota {
        // Neither is zero: at most a million calls in at least a second.
        Quota::with_period(self.per / self.calls.get())
            .expect("a call takes at least a microsecond of its time")
            .allow_burst(self.calls.saturating_mul(NonZeroU32::MIN.saturating_add(1)))
    }
}

/// The limits of one client.
#[derive(Debug)]
pub(crate) struct ClientLimits {
    rate: Option<DefaultDirectRateLimiter>,
    places: Arc<Semaphore>,
}

impl ClientLimits {
    pub(crate) fn new(rate: Option<Rate>, places: usize) -> Self {
        Self {
            rate: rate.map(|rate| RateLimiter::direct(rate.quota())),
            places: Arc::new(Semaphore::new(places)),
        }
    }

    /// Counts a call, or says how long to wait.
    pub(crate) fn count(&self) -> Result<(), Duration> {
        match &self.rate {
            Some(rate) => rate.check().map_err(|early| wait(&early)),
            None => Ok(()),
        }
    }

    /// One of the client's places, if one is free.
    pub(crate) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }
}

/// The limits of addresses.
#[derive(Debug)]
pub(crate) struct SourceLimits {
    rates: Option<DefaultKeyedRateLimiter<IpAddr>>,
    swept_at: Mutex<Instant>,
}

/// Addresses that are told apart at once. During a flood from more of them, further ones share the
/// limit of their surroundings.
const MANY_SOURCES: usize = 10_000;

/// Addresses that have been silent for long enough are forgotten this often, if there are many.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

impl SourceLimits {
    pub(crate) fn new(rate: Option<Rate>) -> Self {
        Self {
            rates: rate.map(|rate| RateLimiter::keyed(rate.quota())),
            swept_at: Mutex::new(Instant::now()),
        }
    }

    /// Counts a call, or says how long to wait.
    pub(crate) fn count(&self, address: IpAddr) -> Result<(), Duration> {
        let Some(rates) = &self.rates else { return Ok(()) };
        let mut key = networks::source(address);
        if rates.len() >= MANY_SOURCES {
            self.sweep(rates);
            if rates.len() >= MANY_SOURCES {
                key = networks::surroundings(address);
            }
        }
        rates.check_key(&key).map_err(|early| wait(&early))
    }

    fn sweep(&self, rates: &DefaultKeyedRateLimiter<IpAddr>) {
        let mut swept_at = self.swept_at.lock().unwrap_or_else(PoisonError::into_inner);
        if swept_at.elapsed() >= SWEEP_EVERY {
            rates.retain_recent();
            rates.shrink_to_fit();
            *swept_at = Instant::now();
        }
    }
}

fn wait(not_until: &NotUntil<<DefaultClock as governor::clock::Clock>::Instant>) -> Duration {
    not_until.wait_time_from(DefaultClock::default().now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_calls_in_a_time() {
        let quota = |text: &str| text.parse::<Rate>().unwrap().quota();
        assert_eq!(quota("20/s").replenish_interval(), Duration::from_millis(50));
        assert_eq!(quota("20/s").burst_size().get(), 40);
        assert_eq!(quota("120/m").replenish_interval(), Duration::from_millis(500));
        for wrong in ["", "20", "0/s", "-1/s", "20/d", "2000000/s", "20 /s"] {
            assert_eq!(wrong.parse::<Rate>(), Err(BadRate), "{wrong}");
        }
    }

    #[test]
    fn a_burst_is_taken_and_the_next_call_is_told_when_to_come() {
        let limits = ClientLimits::new("2/h".parse().ok(), 8);
        for _ in 0..4 {
            assert_eq!(limits.count(), Ok(()));
        }
        let wait = limits.count().unwrap_err();
        assert!(wait > Duration::from_mins(20) && wait <= Duration::from_mins(30), "{wait:?}");
        assert_eq!(ClientLimits::new(None, 1).count(), Ok(()));
    }

    #[test]
    fn an_address_does_not_use_up_another_ones_calls() {
        let limits = SourceLimits::new("1/h".parse().ok());
        let [one, two] = ["192.0.2.1", "192.0.2.2"].map(|ip| ip.parse().unwrap());
        assert_eq!((limits.count(one), limits.count(one)), (Ok(()), Ok(())));
        assert!(limits.count(one).is_err());
        assert_eq!(limits.count(two), Ok(()));
    }

    #[test]
    fn a_flood_from_everywhere_is_not_remembered_for_ever() {
        let limits = SourceLimits::new("1/h".parse().ok());
        for number in 0..30_000_u32 {
            let _refused = limits.count(std::net::Ipv4Addr::from(number * 130_000).into());
        }
        assert!(limits.rates.as_ref().unwrap().len() <= MANY_SOURCES + 256);
    }
}
