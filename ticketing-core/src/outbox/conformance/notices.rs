//! What people are told: once, with what it tells, and by one replica.

use serde_json::json;
use tokio::task::JoinSet;

use super::*;
use crate::outbox::{Alarm, Notice, NoticeOutcome, notices::MOST_UNSETTLED};

on_every_store! {
    a_notice_is_recorded_with_the_settlement_it_tells,
    a_settlement_that_changes_nothing_tells_nothing,
    an_event_is_told_once_on_each_channel,
    a_notice_is_taken_when_due_and_by_one,
    an_interrupted_notice_is_taken_again_and_known_as_such,
    a_restart_of_the_only_process_interrupts_what_was_being_sent,
    a_notice_that_is_sent_or_given_up_keeps_no_body,
    a_stale_hand_settles_no_notice,
    a_notice_that_cannot_be_read_hides_none_behind_it,
    an_alarm_is_raised_and_cleared_by_one_of_many,
    alarms_outlive_a_restart,
    settled_notices_are_deleted_in_time,
    notices_are_bounded_and_settlements_are_not,
}

fn notice(event: &str, channel: &str) -> NoticeDraft {
    let body = json!({"ticket": 42, "text": "Marie Dupont\u{0}"});
    NoticeDraft { event: event.into(), channel: channel.into(), body }
}

impl Store {
    async fn claim_notices(&self, now: i64, lease: Lease) -> Vec<Notice> {
        self.outbox.claim_notices(at(now), lease, 100).await.unwrap()
    }

    async fn settle_notice(&self, id: i64, token: i64, outcome: NoticeOutcome, now: i64) -> bool {
        self.outbox.settle_notice(id, token, outcome, at(now)).await.unwrap()
    }

    /// A notice told of a new alarm at 0 s, and claimed under token 1 until 60 s.
    async fn notice_being_sent(&self, event: &str) -> Notice {
        let raised = self.outbox.raise_alarm(event, vec![notice(event, "slack")], at(0)).await;
        assert!(raised.unwrap());
        let mut claimed = self.claim_notices(0, lease(1, 60)).await;
        assert_eq!(claimed.len(), 1);
        claimed.remove(0)
    }
}

fn failed() -> NoticeOutcome {
    NoticeOutcome::Failed { reason: "gone\u{0}".into() }
}

async fn a_notice_is_recorded_with_the_settlement_it_tells(store: &mut Store) {
    let outcomes =
        [Settlement::Delivered { glpi_id: 41 }, Settlement::Parked { reason: "no right".into() }];
    for (number, how) in outcomes.into_iter().enumerate() {
        let entry = store.row_in(State::Sending).await;
        let followup = store.record(followup_of(&entry.reference), None, at(1)).await;
        let delivered = matches!(how, Settlement::Delivered { .. });
        let told =
            vec![notice(&format!("{number}"), "slack"), notice(&format!("{number}"), "mail")];
        let done = store.outbox.settle(&entry.reference, 1, how, told, at(11)).await.unwrap();
        assert!(done);
        let told = store.claim_notices(11, lease(5, 60)).await;
        let channels: Vec<&str> = told.iter().map(|notice| notice.channel.as_str()).collect();
        assert_eq!(channels, ["slack", "mail"]);
        let expected = Notice {
            id: told[0].id,
            event: format!("{number}"),
            channel: "slack".into(),
            body: notice("", "").body,
            attempts: 1,
            interrupted: false,
            created_at: at(11),
        };
        assert_eq!(told[0], expected);
        let told_number = store.entry(&followup.reference).await.parent_ticket;
        assert_eq!(told_number, delivered.then_some(41), "follow-ups are told as ever");
    }
}

async fn a_settlement_that_changes_nothing_tells_nothing(store: &mut Store) {
    let entry = store.row_in(State::Sending).await;
    for how in [Settlement::Delivered { glpi_id: 41 }, Settlement::Parked { reason: "no".into() }] {
        let told = vec![notice("event", "slack")];
        assert!(!store.outbox.settle(&entry.reference, 2, how, told, at(11)).await.unwrap());
    }
    assert_eq!(store.claim_notices(1000, lease(5, 1060)).await, []);
}

async fn an_event_is_told_once_on_each_channel(store: &mut Store) {
    for round in 0..3 {
        let entry = store.row_in(State::Sending).await;
        let told = vec![notice("event", "slack"), notice("event", "mail")];
        let parked = Settlement::Parked { reason: "no right".into() };
        assert!(store.outbox.settle(&entry.reference, 1, parked, told, at(11)).await.unwrap());
        let claimed = store.claim_notices(11, lease(5, 60)).await;
        assert_eq!(claimed.len(), if round == 0 { 2 } else { 0 }, "also once it has been sent");
        for notice in claimed {
            assert!(store.settle_notice(notice.id, 5, NoticeOutcome::Sent, 12).await);
        }
    }
}

async fn a_notice_is_taken_when_due_and_by_one(store: &mut Store) {
    let sending = store.notice_being_sent("event").await;
    assert_eq!(store.claim_notices(59, lease(2, 120)).await, [], "it is being sent");
    let retry = NoticeOutcome::Retry { due: at(30), reason: "503\u{0}".into() };
    assert!(store.settle_notice(sending.id, 1, retry, 10).await);
    assert_eq!(store.claim_notices(29, lease(2, 89)).await, []);
    let again = store.claim_notices(30, lease(3, 90)).await;
    assert_eq!(again, [Notice { attempts: 2, ..sending }]);
    for number in 0..9 {
        let event = format!("alarm {number}");
        let told = vec![notice(&event, "slack")];
        store.outbox.raise_alarm(&event, told, at(40 + number)).await.unwrap();
    }
    let mut senders = JoinSet::new();
    for token in 10..14 {
        let outbox = Arc::clone(&store.outbox);
        senders.spawn(async move {
            let mut taken = Vec::new();
            for _ in 0..9 {
                taken.extend(outbox.claim_notices(at(80), lease(token, 140), 2).await.unwrap());
            }
            taken.into_iter().map(|notice| notice.event).collect::<Vec<_>>()
        });
    }
    let mut taken: Vec<String> = senders.join_all().await.into_iter().flatten().collect();
    taken.sort_unstable();
    assert_eq!(taken, (0..9).map(|number| format!("alarm {number}")).collect::<Vec<_>>());
}

async fn an_interrupted_notice_is_taken_again_and_known_as_such(store: &mut Store) {
    let sending = store.notice_being_sent("event").await;
    let taken = store.claim_notices(60, lease(2, 120)).await;
    assert_eq!(taken, [Notice { attempts: 2, interrupted: true, ..sending.clone() }]);
    assert!(!store.settle_notice(sending.id, 1, NoticeOutcome::Sent, 61).await, "another has it");
    assert!(store.settle_notice(sending.id, 2, failed(), 62).await);
    assert_eq!(store.claim_notices(1000, lease(3, 1060)).await, []);
}

async fn a_restart_of_the_only_process_interrupts_what_was_being_sent(store: &mut Store) {
    store.notice_being_sent("event").await;
    store.restart().await;
    store.outbox.expire_leases(at(5)).await.unwrap();
    let taken = store.claim_notices(5, lease(2, 65)).await;
    assert_eq!(taken.len(), usize::from(store.knows_it_is_alone()));
    assert!(taken.iter().all(|notice| notice.interrupted));
}

async fn a_notice_that_is_sent_or_given_up_keeps_no_body(store: &mut Store) {
    for outcome in [NoticeOutcome::Sent, failed()] {
        let sending = store.notice_being_sent(&format!("{outcome:?}").replace('\0', "")).await;
        assert!(store.settle_notice(sending.id, 1, outcome, 5).await);
    }
    // Fails for each body that is left.
    store.tamper("INSERT INTO alarm SELECT body, NULL FROM notice WHERE body IS NOT NULL").await;
    assert_eq!(store.claim_notices(1000, lease(3, 1060)).await, []);
}

async fn a_stale_hand_settles_no_notice(store: &mut Store) {
    let sending = store.notice_being_sent("event").await;
    let retry = || NoticeOutcome::Retry { due: at(5), reason: "503".into() };
    for outcome in [NoticeOutcome::Sent, failed(), retry()] {
        assert!(!store.settle_notice(sending.id, 9, outcome.clone(), 5).await);
        assert!(!store.settle_notice(sending.id + 1, 1, outcome, 5).await);
    }
    assert!(store.settle_notice(sending.id, 1, NoticeOutcome::Sent, 6).await);
    for outcome in [NoticeOutcome::Sent, failed(), retry()] {
        assert!(!store.settle_notice(sending.id, 1, outcome, 7).await, "it is settled");
    }
}

async fn a_notice_that_cannot_be_read_hides_none_behind_it(store: &mut Store) {
    for event in ["first", "second", "third"] {
        store.outbox.raise_alarm(event, vec![notice(event, "slack")], at(0)).await.unwrap();
    }
    store
        .tamper(
            "UPDATE notice SET body = NULL WHERE event = 'first';
             UPDATE notice SET body = '{' WHERE event = 'second'",
        )
        .await;
    let taken = store.claim_notices(10, lease(1, 60)).await;
    assert_eq!(taken.iter().map(|notice| notice.event.as_str()).collect::<Vec<_>>(), ["third"]);
    assert_eq!(store.claim_notices(1000, lease(2, 1060)).await.len(), 1, "they are given up");
}

async fn an_alarm_is_raised_and_cleared_by_one_of_many(store: &mut Store) {
    for round in 0..3 {
        for raise in [true, false] {
            let mut replicas = JoinSet::new();
            for _ in 0..8 {
                let outbox = Arc::clone(&store.outbox);
                let told = vec![notice(&format!("{round} {raise}"), "slack")];
                replicas.spawn(async move {
                    if raise {
                        outbox.raise_alarm("backlog", told, at(round)).await.unwrap()
                    } else {
                        outbox.clear_alarm("backlog", told, at(round)).await.unwrap()
                    }
                });
            }
            let changed = replicas.join_all().await;
            assert_eq!(changed.into_iter().filter(|changed| *changed).count(), 1);
            assert_eq!(store.claim_notices(round, lease(1, 60)).await.len(), 1);
        }
    }
    assert_eq!(store.outbox.alarms().await.unwrap(), []);
}

async fn alarms_outlive_a_restart(store: &mut Store) {
    for (name, seconds) in [("glpi_unreachable", 7), ("backlog", 9)] {
        assert!(store.outbox.raise_alarm(name, Vec::new(), at(seconds)).await.unwrap());
    }
    store.restart().await;
    assert!(!store.outbox.raise_alarm("backlog", Vec::new(), at(20)).await.unwrap());
    let alarm = |name: &str, seconds| Alarm { name: name.into(), raised_at: at(seconds) };
    let standing = store.outbox.alarms().await.unwrap();
    assert_eq!(standing, [alarm("backlog", 9), alarm("glpi_unreachable", 7)]);
}

async fn settled_notices_are_deleted_in_time(store: &mut Store) {
    for (event, seconds) in [("first", 10), ("second", 20), ("third", 30)] {
        let sending = store.notice_being_sent(event).await;
        assert!(store.settle_notice(sending.id, 1, NoticeOutcome::Sent, seconds).await);
    }
    store.notice_being_sent("being sent").await;
    assert_eq!(store.outbox.erase_settled_before(at(10), 100).await.unwrap(), 0);
    assert_eq!(store.outbox.erase_settled_before(at(25), 1).await.unwrap(), 1);
    assert_eq!(store.outbox.erase_settled_before(at(25), 100).await.unwrap(), 1);
    assert_eq!(store.outbox.erase_settled_before(at(1000), 100).await.unwrap(), 1);
    assert_eq!(store.claim_notices(60, lease(2, 120)).await.len(), 1);
}

async fn notices_are_bounded_and_settlements_are_not(store: &mut Store) {
    let many = |count: u32, name: &str| -> Vec<NoticeDraft> {
        (0..count).map(|number| notice(&format!("{name} {number}"), "slack")).collect()
    };
    // Behind the store's back, since one by one they take long.
    store
        .tamper(&format!(
            "INSERT INTO notice (event, channel, body, state, attempts, created_at, due_at)
             WITH RECURSIVE n (number) AS
                 (SELECT 1 UNION ALL SELECT number + 1 FROM n WHERE number < {})
             SELECT CAST(number AS TEXT), 'slack', '1', 'waiting', 0, 0, 0 FROM n",
            MOST_UNSETTLED - 2
        ))
        .await;
    let entry = store.row_in(State::Sending).await;
    let parked = Settlement::Parked { reason: "no right".into() };
    let told = many(5, "parked");
    assert!(store.outbox.settle(&entry.reference, 1, parked, told, at(11)).await.unwrap());
    assert_eq!(store.entry(&entry.reference).await.state, State::Parked);
    assert!(store.outbox.raise_alarm("backlog", many(1, "alarm"), at(11)).await.unwrap());
    let all = store.outbox.claim_notices(at(11), lease(1, 60), 20_000).await.unwrap();
    assert_eq!(all.len(), usize::try_from(MOST_UNSETTLED).unwrap());
    assert_eq!(all.iter().filter(|notice| notice.event.starts_with("parked")).count(), 2);
}
