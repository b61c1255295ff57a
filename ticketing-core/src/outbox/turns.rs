//! Whose turn it is: the backlog is served client by client, so that a long queue of one does not
//! delay the short one of another.
//!
//! Who has something due is looked up every few claims, and whenever the clients known cannot fill
//! one. Between two looks a claim asks only those whose turn it is, and asks them to go on where they
//! were. So it costs as many reads as it takes rows, however many rows and clients wait.

use jiff::{SignedDuration, Timestamp};

/// How long a look stands, by the clock of claims, and for how many of them: so long may a client
/// that has something due only since then wait for its turn, if others fill them all.
const LOOK: SignedDuration = SignedDuration::from_secs(1);
const CLAIMS: u32 = 16;

/// A place in a client's queue: due time in milliseconds, and the row's id.
pub(crate) type Mark = (i64, i64);

/// Before every row.
pub(crate) const BEGINNING: Mark = (i64::MIN, i64::MIN);

/// A client whose turn it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) client: String,
    /// Its rows up to here have been taken.
    pub(crate) after: Mark,
}

/// Clients in the order of their turns. Lost with the process, which then begins at the first one.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    /// By name.
    clients: Vec<Turn>,
    /// Who was served last; the turn is with whoever follows.
    last: Option<String>,
    looked_at: Option<Timestamp>,
    claims_since: u32,
}

impl Turns {
    /// A claim begins. `true`: the clients must be looked up before they can be asked. The moment is
    /// the claim's, so that what is found depends on no other clock.
    pub(crate) fn must_look(&mut self, now: Timestamp) -> bool {
        self.claims_since += 1;
        self.claims_since > CLAIMS
            || self.looked_at.is_none_or(|at| now.duration_since(at).abs() >= LOOK)
    }

    /// These clients have something due, beginning right after these marks; in the order of names.
    pub(crate) fn looked(&mut self, clients: Vec<Turn>, now: Timestamp) {
        debug_assert!(clients.is_sorted_by(|one, next| one.client < next.client));
        self.clients = clients;
        self.looked_at = Some(now);
        self.claims_since = 1;
    }

    /// The clients to ask for `limit` rows, in the order of their turns: at most as many.
    pub(crate) fn next(&self, limit: usize) -> Vec<Turn> {
        let served = |turn: &Turn| Some(&turn.client) <= self.last.as_ref();
        let (before, after) = self.clients.split_at(self.clients.partition_point(served));
        after.iter().chain(before).take(limit).cloned().collect()
    }

    /// How many rows each of these clients may give, so that all of them together are enough.
    pub(crate) fn most_each(asked: &[Turn], limit: usize) -> usize {
        (limit + 1).saturating_sub(asked.len())
    }

    /// These clients were asked for `limit` rows and gave these, in the order of turns.
    pub(crate) fn took(&mut self, asked: &[Turn], limit: usize, given: &[(String, Mark)]) {
        if let Some((client, _)) = given.last() {
            self.last = Some(client.clone());
        }
        let all_taken = given.len() < limit;
        for Turn { client, .. } in asked {
            let Ok(at) = self.clients.binary_search_by(|turn| turn.client.cmp(client)) else {
                continue;
            };
            let marks = given.iter().filter(|(giver, _)| giver == client).map(|(_, mark)| *mark);
            let (count, furthest) = (marks.clone().count(), marks.max());
            if count == 0 || (all_taken && count < Self::most_each(asked, limit)) {
                self.clients.remove(at);
            } else if let Some(mark) = furthest {
                let after = &mut self.clients[at].after;
                *after = mark.max(*after);
            }
        }
    }
}

/// Rows of several clients, each the oldest first, in the order of turns: the first of each, then
/// the second of each, and so on.
pub(crate) fn in_turn<T>(queues: Vec<Vec<T>>, limit: usize) -> Vec<T> {
    let mut placed: Vec<(usize, T)> =
        queues.into_iter().flat_map(|queue| queue.into_iter().enumerate()).collect();
    // Stable: within a round the clients stay in their order.
    placed.sort_by_key(|(round, _)| *round);
    placed.into_iter().take(limit).map(|(_, row)| row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(names: &[&str]) -> Turns {
        let mut turns = Turns::default();
        let clients = names.iter().map(|name| Turn { client: (*name).into(), after: (0, 0) });
        turns.looked(clients.collect(), Timestamp::UNIX_EPOCH);
        turns
    }

    fn names(asked: &[Turn]) -> Vec<&str> {
        asked.iter().map(|turn| turn.client.as_str()).collect()
    }

    #[test]
    fn turns_go_round() {
        let mut turns = turns(&["a", "b", "c"]);
        for expected in [["a", "b"], ["c", "a"], ["b", "c"], ["a", "b"]] {
            let asked = turns.next(2);
            assert_eq!(names(&asked), expected);
            let given: Vec<_> = asked.iter().map(|turn| (turn.client.clone(), (1, 1))).collect();
            turns.took(&asked, 2, &given);
        }
    }

    #[test]
    fn a_new_look_does_not_begin_at_the_first_client_again() {
        let mut before = turns(&["a", "b", "c"]);
        let asked = before.next(1);
        before.took(&asked, 1, &[("a".into(), (1, 1))]);
        let looked = turns(&["a", "aa", "b"]).clients;
        before.looked(looked, Timestamp::UNIX_EPOCH);
        assert_eq!(names(&before.next(3)), ["aa", "b", "a"]);
    }

    #[test]
    fn who_has_nothing_left_is_asked_no_more() {
        let mut turns = turns(&["a", "b"]);
        let asked = turns.next(4);
        assert_eq!(Turns::most_each(&asked, 4), 3);
        turns.took(&asked, 4, &[("b".into(), (1, 1)), ("b".into(), (1, 2)), ("b".into(), (1, 3))]);
        assert_eq!(turns.next(4), [Turn { client: "b".into(), after: (1, 3) }]);
    }

    #[test]
    fn a_look_stands_for_a_second_of_the_claims_clock() {
        let mut turns = turns(&["a"]);
        let at = |milliseconds| Timestamp::from_millisecond(milliseconds).unwrap();
        assert!(!turns.must_look(at(999)));
        assert!(turns.must_look(at(1000)));
        assert!(turns.must_look(at(-1000)), "a clock that was set back");
        assert!(Turns::default().must_look(at(0)));
    }

    #[test]
    fn a_look_stands_for_a_few_claims() {
        let mut turns = Turns::default();
        for _ in 0..3 {
            assert!(turns.must_look(Timestamp::UNIX_EPOCH));
            turns.looked(Vec::new(), Timestamp::UNIX_EPOCH);
            assert!((1..CLAIMS).all(|_| !turns.must_look(Timestamp::UNIX_EPOCH)));
        }
    }

    #[test]
    fn rows_are_interleaved() {
        let queues = vec![vec!["a1", "a2", "a3"], vec!["b1"], vec!["c1", "c2"]];
        assert_eq!(in_turn(queues, 5), ["a1", "b1", "c1", "a2", "c2"]);
    }
}
