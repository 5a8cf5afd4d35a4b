//! Work and the holds on it. An epoch comes from one counter for all work and is never
//! given twice, so a piece of work that was done and added again cannot revive an old hold.
//!
//! A hold whose time is over stays valid until somebody else claims the work: only the
//! epoch decides, so a clock that goes backwards cannot give one piece of work to two.

use aegis_model::port::StoreError;
use aegis_model::record::{ClaimQuery, Lease, Work, WorkDraft};
use aegis_model::time::Timestamp;
use rusqlite::params;

use super::batch::Writing;
use super::memory::toggle;
use super::read::bound;
use super::row::{self, WORK_COLUMNS, WorkRow};
use super::trouble::Trouble;

impl Writing<'_> {
    pub(super) fn enqueue(&mut self, draft: &WorkDraft) -> Result<(), Trouble> {
        if self.work_row(&draft.queue, &draft.id)?.is_some() {
            let why = format!("work `{}` is in queue `{}` already", draft.id, draft.queue);
            return Err(StoreError::Unacceptable(why).into());
        }
        let lease = Lease { queue: draft.queue.clone(), id: draft.id.clone(), epoch: 0 };
        let work = Work { lease, until: Timestamp::default(), draft: draft.clone() };
        let mark = row::work_mark(self.integrity, &work);
        let query = "INSERT INTO work (queue, id, tenant, due, epoch, held_until, mark, body) \
                     VALUES (?, ?, ?, ?, 0, 0, ?, ?)";
        self.connection.prepare_cached(query)?.execute(params![
            draft.queue,
            draft.id,
            draft.tenant.as_str(),
            draft.due.as_millis().cast_signed(),
            mark,
            draft.body.as_ref(),
        ])?;
        toggle(&mut self.memory.seal.work, &mark);
        Ok(())
    }

    pub(super) fn finish(&mut self, lease: &Lease) -> Result<(), Trouble> {
        let held = self.held(lease)?;
        let query = "DELETE FROM work WHERE queue = ? AND id = ?";
        self.connection.prepare_cached(query)?.execute(params![lease.queue, lease.id])?;
        toggle(&mut self.memory.seal.work, &held.mark);
        Ok(())
    }

    pub(super) fn release(&mut self, lease: &Lease, due: Timestamp) -> Result<(), Trouble> {
        let mut held = self.held(lease)?;
        held.work.lease.epoch = 0;
        held.work.until = Timestamp::default();
        held.work.draft.due = due;
        self.rewrite(&held)?;
        Ok(())
    }

    /// Keeps the hold until `until`; never shortens it.
    pub(super) fn renew(&mut self, lease: &Lease, until: Timestamp) -> Result<(), Trouble> {
        let mut held = self.held(lease)?;
        if until > held.work.until {
            held.work.until = until;
            self.rewrite(&held)?;
        }
        Ok(())
    }

    pub(super) fn claim(&mut self, query: &ClaimQuery) -> Result<Vec<Work>, Trouble> {
        let mut claimed = Vec::new();
        for mut row in self.claimable(query)? {
            self.memory.seal.epoch = self.memory.seal.epoch.saturating_add(1);
            row.work.lease.epoch = self.memory.seal.epoch;
            row.work.until = query.now.plus_ms(query.lease_ms);
            self.rewrite(&row)?;
            claimed.push(row.work);
        }
        Ok(claimed)
    }

    /// Due work that nobody holds, oldest first.
    fn claimable(&self, query: &ClaimQuery) -> Result<Vec<WorkRow>, Trouble> {
        let text = format!(
            "SELECT {WORK_COLUMNS} FROM work WHERE queue = ?1 AND due <= ?2 AND (epoch = 0 OR held_until <= ?2) \
             ORDER BY due, id LIMIT ?3"
        );
        let mut statement = self.connection.prepare_cached(&text)?;
        let now = query.now.as_millis().cast_signed();
        let mut rows = statement.query(params![query.queue, now, bound(query.limit as u64)])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(row::work(self.integrity, &query.queue, row)?);
        }
        Ok(found)
    }

    fn work_row(&self, queue: &str, id: &str) -> Result<Option<WorkRow>, Trouble> {
        let text = format!("SELECT {WORK_COLUMNS} FROM work WHERE queue = ? AND id = ?");
        let mut statement = self.connection.prepare_cached(&text)?;
        let mut rows = statement.query(params![queue, id])?;
        rows.next()?.map(|row| row::work(self.integrity, queue, row)).transpose()
    }

    /// The work, if it is held under exactly this lease.
    fn held(&self, lease: &Lease) -> Result<WorkRow, Trouble> {
        match self.work_row(&lease.queue, &lease.id)? {
            Some(row) if lease.epoch != 0 && row.work.lease.epoch == lease.epoch => Ok(row),
            _ => {
                let Lease { queue, id, epoch } = lease.clone();
                Err(StoreError::LeaseLost { queue, id, epoch }.into())
            }
        }
    }

    /// Writes the hold and the due time; `row.mark` is still the mark of what is stored.
    fn rewrite(&mut self, row: &WorkRow) -> Result<(), Trouble> {
        let WorkRow { work, mark: old } = row;
        let mark = row::work_mark(self.integrity, work);
        let query = "UPDATE work SET due = ?, epoch = ?, held_until = ?, mark = ? WHERE queue = ? AND id = ?";
        self.connection.prepare_cached(query)?.execute(params![
            work.draft.due.as_millis().cast_signed(),
            work.lease.epoch.cast_signed(),
            work.until.as_millis().cast_signed(),
            mark,
            work.lease.queue,
            work.lease.id,
        ])?;
        toggle(&mut self.memory.seal.work, old);
        toggle(&mut self.memory.seal.work, &mark);
        Ok(())
    }
}
