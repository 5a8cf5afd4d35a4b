//! Which answer a query gets, and the log of queries. Must not know: sockets.

use std::collections::HashMap;

use super::message::{Code, Data, Query, Record, kind};
use super::{Answer, Records, Wrong};

/// Names that point at each other must end somewhere.
const LONGEST_CHAIN: usize = 8;
/// The name in an answer to a question that nobody asked.
const OTHER_NAME: &str = "other.invalid";

/// All names, and what they were asked.
#[derive(Debug, Default)]
pub(crate) struct Zone {
    names: HashMap<String, Entry>,
    queries: Vec<(String, u16)>,
}

#[derive(Debug)]
struct Entry {
    answers: Vec<Answer>,
    /// How many queries of each kind there were.
    asked: HashMap<u16, usize>,
}

/// What to do about a query.
#[derive(Debug)]
pub(crate) enum Reply {
    Send(Vec<u8>),
    FromOtherPort(Vec<u8>),
    Nothing,
}

impl Zone {
    pub(crate) fn set(&mut self, name: &str, answers: Vec<Answer>) {
        assert!(!answers.is_empty(), "a sequence has at least one answer");
        self.names.insert(plain(name), Entry { answers, asked: HashMap::new() });
    }

    pub(crate) fn queries(&self) -> &[(String, u16)] {
        &self.queries
    }

    pub(crate) fn reply(&mut self, query: &Query, is_stream: bool) -> Reply {
        self.queries.push((query.name.clone(), query.kind));
        let Some(answer) = self.next_answer(&query.name, query.kind) else {
            return Reply::Send(query.answer(Code::Nxdomain, &[]));
        };
        match answer {
            Answer::Records(records) => Reply::Send(self.answer(query, &records, is_stream)),
            Answer::Truncated(_) if !is_stream => Reply::Send(query.truncated()),
            Answer::Truncated(records) => Reply::Send(self.answer(query, &records, is_stream)),
            Answer::Nxdomain => Reply::Send(query.answer(Code::Nxdomain, &[])),
            Answer::Failure => Reply::Send(query.answer(Code::Failure, &[])),
            Answer::Silent => Reply::Nothing,
            Answer::Wrong(wrong, records) => self.wrong(query, wrong, &records, is_stream),
        }
    }

    fn wrong(&mut self, query: &Query, wrong: Wrong, records: &Records, is_stream: bool) -> Reply {
        match wrong {
            Wrong::OtherId => Reply::Send(self.answer(&query.with_id(!query.id), records, is_stream)),
            Wrong::OtherQuestion => Reply::Send(self.answer(&query.with_name(OTHER_NAME), records, is_stream)),
            Wrong::OtherPort if is_stream => Reply::Nothing,
            Wrong::OtherPort => Reply::FromOtherPort(self.answer(query, records, is_stream)),
        }
    }

    fn answer(&mut self, query: &Query, records: &Records, is_stream: bool) -> Vec<u8> {
        let mut found = Vec::new();
        self.collect(&query.name, query.kind, records.clone(), &mut found);
        let bytes = query.answer(Code::Success, &found);
        if !is_stream && bytes.len() > query.limit() { query.truncated() } else { bytes }
    }

    /// The records of a name, and of the names that it points at.
    fn collect(&mut self, name: &str, wanted: u16, records: Records, found: &mut Vec<Record>) {
        let mut owner = name.to_owned();
        let mut records = records;
        for _ in 0..LONGEST_CHAIN {
            let record = |data| Record { owner: owner.clone(), ttl: records.ttl, data };
            match wanted {
                kind::A => found.extend(records.v4.iter().map(|address| record(Data::V4(*address)))),
                kind::AAAA => found.extend(records.v6.iter().map(|address| record(Data::V6(*address)))),
                _ => {}
            }
            let Some(target) = records.alias.clone() else { return };
            found.push(record(Data::Alias(target.clone())));
            let next = if wanted == kind::CNAME { None } else { self.next_answer(&plain(&target), wanted) };
            let Some(Answer::Records(next) | Answer::Truncated(next)) = next else { return };
            owner = plain(&target);
            records = next;
        }
    }

    fn next_answer(&mut self, name: &str, wanted: u16) -> Option<Answer> {
        let entry = self.names.get_mut(name)?;
        let asked = entry.asked.entry(wanted).or_default();
        let answer = entry.answers.get(*asked).or(entry.answers.last()).cloned();
        *asked += 1;
        answer
    }
}

/// A name as the log and the zone write it.
fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}
