//! The versions of a secret, and how one takes the place of another.
//!
//! ```text
//!            rotate                    the overlap ends, or another
//!   current ────────► overlapping ───────────────────────────────────► retired
//!      ▲                   │                  rotation                    ▲
//!      └───────────────────┘                                              │
//!             roll back: what was current is retired ─────────────────────┘
//! ```
//!
//! Of a retired version nothing is kept but who set it and when. Pure: no clock, no store, no
//! key. Must not know: how a value is sealed.

use aegis_model::rotation::RotationRecord;
use aegis_model::secret::{Kept, SecretInfo, SecretRecord, SecretState, SecretVersion, VersionRecord};
use aegis_model::{Code, Fault, Timestamp};

/// So many versions are told of.
const VERSIONS_MAX: usize = 10;

/// A value that was just sealed.
pub(crate) struct Sealed {
    pub sealed: String,
    pub at: Timestamp,
    pub by: String,
}

/// The number that the next version will have.
pub(crate) fn next_number(record: &SecretRecord) -> u64 {
    record.latest + 1
}

/// The new version is used at once, and nothing else can be read any more.
pub(crate) fn replace(record: &mut SecretRecord, new: Sealed) {
    for version in &mut record.versions {
        version.kept = Kept::Retired;
    }
    push(record, new);
}

/// The new version is used; the one before can be read until then, and no other.
pub(crate) fn rotate(record: &mut SecretRecord, new: Sealed, until: Timestamp) {
    for version in &mut record.versions {
        version.kept = match std::mem::replace(&mut version.kept, Kept::Retired) {
            Kept::Current { sealed } => Kept::Overlapping { sealed, until },
            Kept::Overlapping { .. } | Kept::Retired => Kept::Retired,
        };
    }
    push(record, new);
}

/// The overlapping version is used again, and nothing else can be read any more.
///
/// # Errors
/// `StateInvalid` when none overlaps now.
pub(crate) fn roll_back(record: &mut SecretRecord, now: Timestamp) -> Result<(), Fault> {
    let back = overlapping(record, now).map(|version| version.number).ok_or_else(|| no_overlap(record))?;
    for version in &mut record.versions {
        version.kept = match std::mem::replace(&mut version.kept, Kept::Retired) {
            Kept::Overlapping { sealed, .. } if version.number == back => Kept::Current { sealed },
            _ => Kept::Retired,
        };
    }
    Ok(())
}

/// Drops what is kept of versions whose overlap has ended.
pub(crate) fn drop_ended(record: &mut SecretRecord, now: Timestamp) {
    for version in &mut record.versions {
        if state(&version.kept, now) == SecretState::Retired {
            version.kept = Kept::Retired;
        }
    }
}

/// The version that is used.
pub(crate) fn current(record: &SecretRecord) -> Option<&VersionRecord> {
    record.versions.iter().find(|version| matches!(version.kept, Kept::Current { .. }))
}

/// The version that is still readable beside it.
pub(crate) fn overlapping(record: &SecretRecord, now: Timestamp) -> Option<&VersionRecord> {
    record.versions.iter().find(|version| state(&version.kept, now) == SecretState::Overlapping)
}

/// The sealed bytes of a version that can be read now.
pub(crate) fn readable(version: &VersionRecord, now: Timestamp) -> Option<&str> {
    match &version.kept {
        Kept::Current { sealed } => Some(sealed),
        Kept::Overlapping { sealed, until } => (now < *until).then_some(sealed.as_str()),
        Kept::Retired => None,
    }
}

/// What is told of a secret; nothing of one that is deleted.
pub(crate) fn info(record: &SecretRecord, now: Timestamp) -> Option<SecretInfo> {
    let current = current(record)?;
    let rotate_after = current.created_at.plus_ms(record.rotate_every_ms);
    Some(SecretInfo {
        name: record.name.clone(),
        description: record.description.clone(),
        version: current.number,
        rotate_every_ms: record.rotate_every_ms,
        rotate_after,
        overdue: rotate_after <= now,
        created_at: record.created_at,
        created_by: record.created_by.clone(),
        versions: record.versions.iter().rev().map(|version| told(version, now)).collect(),
        rotation: record.rotation.as_ref().map(RotationRecord::info),
    })
}

fn told(version: &VersionRecord, now: Timestamp) -> SecretVersion {
    let state = state(&version.kept, now);
    let overlaps_until = match version.kept {
        Kept::Overlapping { until, .. } if state == SecretState::Overlapping => Some(until),
        _ => None,
    };
    SecretVersion {
        number: version.number,
        state,
        created_at: version.created_at,
        created_by: version.created_by.clone(),
        overlaps_until,
    }
}

fn state(kept: &Kept, now: Timestamp) -> SecretState {
    match kept {
        Kept::Current { .. } => SecretState::Current,
        Kept::Overlapping { until, .. } if now < *until => SecretState::Overlapping,
        Kept::Overlapping { .. } | Kept::Retired => SecretState::Retired,
    }
}

fn push(record: &mut SecretRecord, new: Sealed) {
    record.latest = next_number(record);
    record.versions.push(VersionRecord {
        number: record.latest,
        created_at: new.at,
        created_by: new.by,
        kept: Kept::Current { sealed: new.sealed },
    });
    let too_many = record.versions.len().saturating_sub(VERSIONS_MAX);
    record.versions.drain(..too_many);
}

fn no_overlap(record: &SecretRecord) -> Fault {
    let message = format!("secret `{}` has no version that overlaps; there is nothing to go back to", record.name);
    Fault::new(Code::StateInvalid, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn sealed(number: u64) -> Sealed {
        Sealed { sealed: format!("sealed-{number}"), at: at(number), by: "key/a".to_owned() }
    }

    fn fresh() -> SecretRecord {
        let mut record = SecretRecord {
            name: "token".parse().unwrap(),
            description: String::new(),
            rotate_every_ms: 1_000,
            created_at: at(1),
            created_by: "key/a".to_owned(),
            latest: 0,
            versions: Vec::new(),
            rotation: None,
        };
        replace(&mut record, sealed(1));
        record
    }

    /// The states, newest first.
    fn states(record: &SecretRecord, now: u64) -> Vec<(u64, &'static str)> {
        let info = info(record, at(now)).unwrap();
        info.versions.iter().map(|version| (version.number, version.state.as_str())).collect()
    }

    #[test]
    fn a_rotation_lets_the_one_before_overlap_until_its_time() {
        let mut record = fresh();
        rotate(&mut record, sealed(2), at(100));
        assert_eq!(states(&record, 99), [(2, "current"), (1, "overlapping")]);
        assert_eq!(states(&record, 100), [(2, "current"), (1, "retired")]);
        let first = &record.versions[0];
        assert_eq!((readable(first, at(99)), readable(first, at(100))), (Some("sealed-1"), None));
        drop_ended(&mut record, at(99));
        assert_ne!(record.versions[0].kept, Kept::Retired);
        drop_ended(&mut record, at(100));
        assert_eq!(record.versions[0].kept, Kept::Retired);
    }

    #[test]
    fn setting_leaves_nothing_else_readable() {
        let mut record = fresh();
        rotate(&mut record, sealed(2), at(100));
        replace(&mut record, sealed(3));
        assert_eq!(states(&record, 5), [(3, "current"), (2, "retired"), (1, "retired")]);
    }

    #[test]
    fn only_one_version_overlaps() {
        let mut record = fresh();
        rotate(&mut record, sealed(2), at(100));
        rotate(&mut record, sealed(3), at(100));
        assert_eq!(states(&record, 5), [(3, "current"), (2, "overlapping"), (1, "retired")]);
    }

    #[test]
    fn going_back_works_once_and_while_it_overlaps() {
        let mut record = fresh();
        rotate(&mut record, sealed(2), at(100));
        let mut late = record.clone();
        assert_eq!(roll_back(&mut late, at(100)).unwrap_err().code(), Code::StateInvalid);
        assert_eq!(late, record);
        roll_back(&mut record, at(99)).unwrap();
        assert_eq!(states(&record, 99), [(2, "retired"), (1, "current")]);
        assert_eq!(roll_back(&mut record, at(99)).unwrap_err().code(), Code::StateInvalid);
        replace(&mut record, sealed(3));
        assert_eq!(states(&record, 99)[0], (3, "current"));
    }

    #[test]
    fn another_version_is_due_by_the_age_of_the_one_that_is_used() {
        let record = fresh();
        assert!(!info(&record, at(1_000)).unwrap().overdue);
        let due = info(&record, at(1_001)).unwrap();
        assert_eq!((due.overdue, due.rotate_after), (true, at(1_001)));
    }

    proptest! {
        #[test]
        fn whatever_is_done_one_is_current_at_most_one_overlaps_and_numbers_grow(
            steps in proptest::collection::vec((0..4_u8, 0..50_u64), 0..40)
        ) {
            let mut record = fresh();
            let mut now = 1;
            for (step, pause) in steps {
                now += pause;
                let before = record.latest;
                match step {
                    0 => replace(&mut record, sealed(now)),
                    1 => rotate(&mut record, sealed(now), at(now + 60)),
                    2 => drop(roll_back(&mut record, at(now))),
                    _ => drop_ended(&mut record, at(now)),
                }
                prop_assert!(record.latest >= before);
                let shown = info(&record, at(now)).expect("it is there");
                let count = |state| shown.versions.iter().filter(|version| version.state == state).count();
                prop_assert_eq!(count(SecretState::Current), 1);
                prop_assert!(count(SecretState::Overlapping) <= 1);
                prop_assert!(shown.versions.len() <= VERSIONS_MAX);
                prop_assert!(shown.versions.iter().all(|version| version.number <= record.latest));
            }
        }
    }
}
