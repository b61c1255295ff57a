//! Notices what no delivery ends with: GLPI gone for long, many requests waiting, parked requests
//! about to be erased.
//!
//! Each is an alarm in the outbox, raised and ended by one of all replicas, and told when it is
//! raised and when it ends.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use notices::{Event, Subject};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Settings, news::News};
use crate::{
    clock::Clock,
    courier::Courier,
    outbox::{Alarm, NoticeDraft, Outbox, State, Stats, StoreError},
};

/// Watches GLPI and the outbox.
#[derive(Debug)]
pub(crate) struct Watcher {
    outbox: Arc<dyn Outbox>,
    courier: Arc<Courier>,
    clock: Arc<dyn Clock>,
    news: Arc<News>,
    unreachable_after: Duration,
    backlog: u64,
    parked_retention: Option<SignedDuration>,
    /// Since when GLPI fails, as far as this process knows.
    failing_since: Option<Timestamp>,
    /// This failure has been told, by us or another replica.
    told: bool,
    /// When parked rows were last counted.
    counted: Option<Instant>,
}

const UNREACHABLE: &str = "glpi_unreachable";
const BACKLOG: &str = "backlog";
const EXPIRING: &str = "parked_expiring";

/// Between two looks there is at least and at most this: a GLPI that nobody calls is asked once in
/// between whether it is there.
const SHORTEST_ROUND: Duration = Duration::from_millis(200);
const LONGEST_ROUND: Duration = Duration::from_mins(1);

/// Between two counts of the parked rows.
const COUNT_EVERY: Duration = Duration::from_mins(10);

/// Parked rows are told of this long before they are erased, or a quarter of their time before.
const LONGEST_WARNING: SignedDuration = SignedDuration::from_hours(7 * 24);

/// While there are such rows it is told every day.
const REMIND_EVERY: SignedDuration = SignedDuration::from_hours(24);

impl Watcher {
    pub(crate) fn new(
        outbox: Arc<dyn Outbox>,
        courier: Arc<Courier>,
        clock: Arc<dyn Clock>,
        news: Arc<News>,
        settings: &Settings,
    ) -> Self {
        Self {
            outbox,
            courier,
            clock,
            news,
            unreachable_after: settings.unreachable_after,
            backlog: settings.backlog.max(1),
            parked_retention: settings.parked_retention,
            failing_since: None,
            told: false,
            counted: None,
        }
    }

    /// Watches until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let round = (self.unreachable_after / 5).clamp(SHORTEST_ROUND, LONGEST_ROUND);
        loop {
            let looked = tokio::select! {
                () = stop.cancelled() => return,
                looked = self.look(round) => looked,
            };
            if let Err(error) = looked {
                tracing::error!(%error, "cannot watch the outbox");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(round) => {}
            }
        }
    }

    async fn look(&mut self, round: Duration) -> Result<(), StoreError> {
        let alarms = self.outbox.alarms().await?;
        let stands = |name: &str| alarms.iter().find(|alarm| alarm.name == name);
        let open = open_rows(&self.outbox.stats().await?);
        if self.news.is_wanted(Subject::Unreachable) {
            self.look_at_glpi(open, round).await;
            self.tell_of_glpi(stands(UNREACHABLE)).await?;
        }
        if self.news.is_wanted(Subject::Backlog) {
            self.tell_of_backlog(open, stands(BACKLOG)).await?;
        }
        if self.news.is_wanted(Subject::Expiring) {
            self.tell_of_parked(stands(EXPIRING)).await?;
        }
        Ok(())
    }

    /// Learns whether GLPI fails. Deliveries know; where there are none, GLPI is asked.
    async fn look_at_glpi(&mut self, open: u64, round: Duration) {
        let now = self.clock.now();
        let down_for = self.courier.down_for();
        if down_for.is_none() && self.courier.heard_within(round) {
            self.failing_since = None;
            return;
        }
        // The courier probes as long as there is something to deliver.
        let is_probed = down_for.is_some() && open > 0;
        if !is_probed && self.courier.ask_glpi().await {
            self.failing_since = None;
            return;
        }
        let down_for = SignedDuration::try_from(down_for.unwrap_or_default()).unwrap_or_default();
        let since = now.saturating_sub(down_for).unwrap_or(now);
        self.failing_since = Some(self.failing_since.map_or(since, |known| known.min(since)));
    }

    async fn tell_of_glpi(&mut self, alarm: Option<&Alarm>) -> Result<(), StoreError> {
        let now = self.clock.now();
        let after = SignedDuration::try_from(self.unreachable_after).unwrap_or(SignedDuration::MAX);
        match (self.failing_since, alarm) {
            (Some(since), None) if !self.told && now.duration_since(since) >= after => {
                let key = format!("unreachable:{}", since.as_millisecond());
                let event = Event::GlpiUnreachable { since };
                self.raise(UNREACHABLE, Subject::Unreachable, &key, event).await?;
                self.told = true;
            }
            (Some(_), Some(_)) => self.told = true,
            (Some(_), None) => {}
            (None, Some(alarm)) => {
                let since = alarm.raised_at.saturating_sub(after).unwrap_or(alarm.raised_at);
                let key = format!("recovered:{}", alarm.raised_at.as_millisecond());
                let event = Event::GlpiRecovered { since, until: now };
                self.clear(UNREACHABLE, Subject::Unreachable, &key, event).await?;
                self.told = false;
            }
            // Another replica that sees GLPI may have ended the alarm: ours can be told again.
            (None, None) => self.told = false,
        }
        Ok(())
    }

    /// Half of the limit ends the alarm, so that it does not come and go with every row.
    async fn tell_of_backlog(&self, rows: u64, alarm: Option<&Alarm>) -> Result<(), StoreError> {
        let limit = self.backlog;
        let now = self.clock.now().as_millisecond();
        if alarm.is_none() && rows >= limit {
            let event = Event::Backlog { rows, limit };
            self.raise(BACKLOG, Subject::Backlog, &format!("backlog:{now}"), event).await?;
        } else if alarm.is_some() && rows <= limit / 2 {
            let event = Event::BacklogDrained { rows };
            self.clear(BACKLOG, Subject::Backlog, &format!("drained:{now}"), event).await?;
        }
        Ok(())
    }

    async fn tell_of_parked(&mut self, alarm: Option<&Alarm>) -> Result<(), StoreError> {
        let Some(retention) = self.parked_retention else { return Ok(()) };
        if self.counted.is_some_and(|counted| counted.elapsed() < COUNT_EVERY) {
            return Ok(());
        }
        let now = self.clock.now();
        let warning = (retention / 4).min(LONGEST_WARNING);
        let parked_before = now.saturating_sub(retention - warning).unwrap_or(Timestamp::MIN);
        let rows = self.outbox.count_parked_before(parked_before).await?;
        let told_lately =
            alarm.is_some_and(|alarm| now.duration_since(alarm.raised_at) < REMIND_EVERY);
        if rows > 0 && !told_lately {
            self.outbox.clear_alarm(EXPIRING, Vec::new(), now).await?;
            let before = now.saturating_add(warning).unwrap_or(Timestamp::MAX);
            let event = Event::ParkedExpiring { rows, before };
            let key = format!("expiring:{}", now.as_millisecond());
            self.raise(EXPIRING, Subject::Expiring, &key, event).await?;
        } else if rows == 0 && alarm.is_some() {
            self.outbox.clear_alarm(EXPIRING, Vec::new(), now).await?;
        }
        self.counted = Some(Instant::now());
        Ok(())
    }

    async fn raise(
        &self,
        name: &str,
        subject: Subject,
        key: &str,
        event: Event,
    ) -> Result<(), StoreError> {
        let (notices, now) = self.written(subject, key, event);
        if self.outbox.raise_alarm(name, notices, now).await? {
            tracing::warn!(alarm = name, "an alarm is raised");
            self.news.recorded();
        }
        Ok(())
    }

    async fn clear(
        &self,
        name: &str,
        subject: Subject,
        key: &str,
        event: Event,
    ) -> Result<(), StoreError> {
        let (notices, now) = self.written(subject, key, event);
        if self.outbox.clear_alarm(name, notices, now).await? {
            tracing::info!(alarm = name, "an alarm is over");
            self.news.recorded();
        }
        Ok(())
    }

    fn written(&self, subject: Subject, key: &str, event: Event) -> (Vec<NoticeDraft>, Timestamp) {
        let now = self.clock.now();
        (self.news.of(subject, key, event, now), now)
    }
}

/// Rows that wait for GLPI.
fn open_rows(stats: &Stats) -> u64 {
    let counts = State::ALL.into_iter().zip(stats.rows);
    let is_open = |state| matches!(state, State::Waiting | State::Sending | State::InDoubt);
    counts.filter(|(state, _)| is_open(*state)).map(|(_, count)| count).sum()
}

#[cfg(test)]
mod tests;
