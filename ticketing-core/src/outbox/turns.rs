//! Whose rows are taken next: clients take turns, so that the small backlog of one does not wait
//! behind the large one of another.

/// Who gets how many of the rows that may be taken at once.
///
/// Clients are asked one after the other, beginning with any of them; who has fewer rows than its
/// share leaves the rest to those that have more.
#[derive(Debug)]
pub(crate) struct Turns {
    order: Vec<String>,
    next: usize,
    /// Those of this round who had as many rows as their share.
    wanting_more: Vec<String>,
    left: u32,
}

impl Turns {
    /// `chance` decides who begins: with one row at a time that is all of fairness.
    pub(crate) fn new(mut clients: Vec<String>, limit: u32, chance: i64) -> Self {
        if !clients.is_empty() {
            let begins = chance.unsigned_abs() % clients.len() as u64;
            clients.rotate_left(usize::try_from(begins).unwrap_or_default());
        }
        Self { order: clients, next: 0, wanting_more: Vec::new(), left: limit }
    }

    /// The next client, and how many rows it may have; `None`: all is taken, or nobody has more.
    pub(crate) fn next(&mut self) -> Option<(&str, u32)> {
        if self.next == self.order.len() {
            self.order = std::mem::take(&mut self.wanting_more);
            self.next = 0;
        }
        let waiting = u32::try_from(self.order.len() - self.next).unwrap_or(u32::MAX);
        if self.left == 0 || waiting == 0 {
            return None;
        }
        Some((&self.order[self.next], self.left.div_ceil(waiting)))
    }

    /// How many rows the client that was next had, of how many it might have had.
    pub(crate) fn had(&mut self, rows: u32, share: u32) {
        self.left = self.left.saturating_sub(rows);
        if let Some(client) = self.order.get(self.next).filter(|_| rows >= share) {
            self.wanting_more.push(client.clone());
        }
        self.next += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Gives rows out of these backlogs, until the limit is reached or nobody has more.
    fn given(backlogs: &[(&str, u32)], limit: u32, chance: i64) -> Vec<u32> {
        let mut left: BTreeMap<&str, u32> = backlogs.iter().copied().collect();
        let clients = backlogs.iter().map(|(client, _)| (*client).to_owned()).collect();
        let mut turns = Turns::new(clients, limit, chance);
        while let Some((client, share)) = turns.next() {
            let rows = left[client].min(share);
            *left.get_mut(client).unwrap() -= rows;
            turns.had(rows, share);
        }
        backlogs.iter().map(|(client, backlog)| backlog - left[client]).collect()
    }

    #[test]
    fn clients_share_and_leave_no_place_empty() {
        for (backlogs, limit, expected) in [
            (&[("a", 100), ("b", 100)][..], 6, &[3, 3][..]),
            (&[("a", 100), ("b", 1)], 6, &[5, 1]),
            (&[("a", 1), ("b", 100)], 6, &[1, 5]),
            (&[("a", 2), ("b", 0), ("c", 9)], 6, &[2, 0, 4]),
            (&[("a", 1), ("b", 1)], 6, &[1, 1]),
            (&[("a", 100)], 6, &[6]),
            (&[], 6, &[]),
            (&[("a", 100), ("b", 100)], 0, &[0, 0]),
        ] {
            for chance in [0, 1, 2, i64::MAX, i64::MIN] {
                let given = given(backlogs, limit, chance);
                assert_eq!(given, expected, "{backlogs:?}, {chance}");
            }
        }
    }

    #[test]
    fn with_one_row_at_a_time_everybody_comes_first_by_chance() {
        let backlogs = [("a", 9), ("b", 9), ("c", 9)];
        let first = |chance| given(&backlogs, 1, chance).iter().position(|rows| *rows == 1);
        assert_eq!([0, 1, 2, 3].map(first), [Some(0), Some(1), Some(2), Some(0)]);
    }
}
