//! What is known of one key of a counter: what was committed, step by step, and what is
//! reserved. Pure; knows neither the store nor the clock.

/// What is known of the store's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Knowledge {
    /// Nothing: it was not read yet, or a commit failed in a way that says nothing of it.
    Unknown,
    /// Everything that can be seen.
    Known,
}

/// One key of a counter.
#[derive(Debug)]
pub(super) struct Kept {
    knowledge: Knowledge,
    /// Changes whenever a commit begins or ends: what was read in between says nothing.
    pub stamp: u64,
    /// When it was last asked for, in the order of questions.
    pub used: u64,
    /// Commits under way.
    committing: u32,
    /// In the order of steps. What does not fit holds at the end of the range, as in the store.
    committed: Vec<(u64, i64)>,
    /// Wider, so that what is given back is exactly what was taken.
    reserved: Vec<(u64, i128)>,
}

impl Kept {
    /// One of which nothing is known.
    pub(super) const fn unknown(stamp: u64) -> Self {
        Self {
            knowledge: Knowledge::Unknown,
            stamp,
            used: 0,
            committing: 0,
            committed: Vec::new(),
            reserved: Vec::new(),
        }
    }

    /// Whether it can be counted with.
    pub(super) fn is_known(&self) -> bool {
        self.knowledge == Knowledge::Known
    }

    /// Whether a commit is under way, so that reading now would say nothing.
    pub(super) const fn is_committing(&self) -> bool {
        self.committing > 0
    }

    /// Whether nobody would miss it: it can be read again.
    pub(super) const fn is_idle(&self) -> bool {
        self.reserved.is_empty()
    }

    /// Takes over what was read when the stamp was `stamp`; nothing if a commit came between.
    pub(super) fn learn(&mut self, stamp: u64, committed: Vec<(u64, i64)>) {
        if self.stamp == stamp && !self.is_known() && !self.is_committing() {
            (self.knowledge, self.committed) = (Knowledge::Known, committed);
        }
    }

    /// What was counted and reserved from a step on. Older steps are forgotten: time never goes
    /// back.
    pub(super) fn total(&mut self, first: u64) -> i64 {
        self.committed.retain(|(step, _)| *step >= first);
        let committed = self.committed.iter().map(|(_, amount)| i128::from(*amount));
        let reserved = self.reserved.iter().filter(|(step, _)| *step >= first).map(|(_, amount)| *amount);
        let total = committed.chain(reserved).sum::<i128>();
        total.clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }

    /// Reserves.
    pub(super) fn reserve(&mut self, step: u64, amount: i64) {
        match self.reserved.iter_mut().find(|(taken, _)| *taken == step) {
            Some((_, sum)) => *sum += i128::from(amount),
            None => self.reserved.push((step, amount.into())),
        }
    }

    /// Gives back what was reserved.
    pub(super) fn give_back(&mut self, step: u64, amount: i64) {
        if let Some((_, sum)) = self.reserved.iter_mut().find(|(taken, _)| *taken == step) {
            *sum -= i128::from(amount);
        }
        self.reserved.retain(|(_, sum)| *sum != 0);
    }

    /// A commit begins.
    pub(super) const fn begin(&mut self, stamp: u64) {
        self.stamp = stamp;
        self.committing = self.committing.saturating_add(1);
    }

    /// A commit has ended; nobody knows how, unless `is_certain`.
    pub(super) fn fail(&mut self, stamp: u64, is_certain: bool) {
        self.stamp = stamp;
        self.committing = self.committing.saturating_sub(1);
        if !is_certain {
            (self.knowledge, self.committed) = (Knowledge::Unknown, Vec::new());
        }
    }

    /// A commit has ended well: what was reserved is counted. Where nothing is known, the store
    /// will tell of it.
    pub(super) fn settle(&mut self, stamp: u64, (step, amount): (u64, i64)) {
        self.fail(stamp, true);
        self.give_back(step, amount);
        if !self.is_known() {
            return;
        }
        match self.committed.binary_search_by_key(&step, |(step, _)| *step) {
            Ok(place) => {
                if let Some((_, sum)) = self.committed.get_mut(place) {
                    *sum = sum.saturating_add(amount);
                }
            }
            Err(place) => self.committed.insert(place, (step, amount)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One in doubt, whose stamp is 3, with a reservation.
    fn in_doubt() -> Kept {
        let mut kept = Kept::unknown(1);
        kept.learn(1, vec![(7, 10)]);
        kept.reserve(8, 5);
        kept.begin(2);
        kept.fail(3, false);
        kept
    }

    #[test]
    fn what_was_read_when_nothing_was_under_way_counts() {
        let mut kept = in_doubt();
        assert!(!kept.is_known());
        kept.learn(3, vec![(7, 12)]);
        assert!(kept.is_known());
        assert_eq!(kept.total(0), 17);
    }

    /// It could hold what was on its way then, or not.
    #[test]
    fn what_was_read_while_a_commit_began_or_ended_says_nothing() {
        let mut kept = in_doubt();
        kept.begin(4);
        kept.learn(3, vec![(7, 12)]);
        kept.learn(4, vec![(7, 12)]);
        assert!(!kept.is_known());
        kept.settle(5, (8, 5));
        kept.learn(3, vec![(7, 12)]);
        kept.learn(4, vec![(7, 12)]);
        assert!(!kept.is_known());
        kept.learn(5, vec![(7, 10), (8, 5)]);
        assert_eq!((kept.is_known(), kept.total(0), kept.total(8)), (true, 15, 5));
    }

    #[test]
    fn what_is_known_is_not_read_again() {
        let mut kept = Kept::unknown(1);
        kept.learn(1, vec![(7, 10)]);
        kept.learn(1, vec![(7, 99)]);
        assert_eq!(kept.total(0), 10);
    }

    #[test]
    fn what_was_committed_holds_at_the_end_of_the_numbers_as_in_the_store() {
        let mut kept = Kept::unknown(1);
        kept.learn(1, vec![(7, i64::MAX - 1)]);
        kept.reserve(7, 5);
        kept.begin(2);
        kept.settle(3, (7, 5));
        assert_eq!((kept.total(0), kept.is_idle()), (i64::MAX, true));
    }
}
