//! `aegis policy denials`.

use aegis_model::api::{DecisionListQuery, PAGE_LIMIT_DEFAULT};
use aegis_model::outward::{OutwardRecord, OutwardState};
use aegis_model::{AgentName, SessionId};

use super::snippet;
use crate::commands::listing::{Limit, collect};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Style, Table, short_time, size};

/// List what agents wanted to reach and were refused, newest first
///
/// Also what happened only because its session was observed. The same refusal again within a few
/// seconds is counted, not listed anew.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis policy denials
  aegis policy denials --agent triage --all
  aegis policy denials --session ada --suggest
  aegis policy denials --host api.github.com --output json")]
pub(crate) struct Arguments {
    /// Only those of this agent
    #[arg(long, value_name = "NAME")]
    agent: Option<AgentName>,
    /// Only those of this session
    #[arg(long, value_name = "ID")]
    session: Option<SessionId>,
    /// Only those about this host
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Every decision: also what was let out, with how much it moved and how long it took
    #[arg(long, conflicts_with = "suggest")]
    all: bool,
    /// Write the grants that would have allowed it, for you to read and to put into the manifest
    #[arg(long)]
    suggest: bool,
    /// At most so many; 50 when absent, all of them with `--suggest`
    #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
}

pub(crate) fn run(context: &mut Context, arguments: Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let usual = u32::try_from(PAGE_LIMIT_DEFAULT).ok().filter(|_| !arguments.suggest);
    let limit = Limit { limit: arguments.limit.or(usual) };
    let host = arguments.host.as_deref().map(|host| host.trim_end_matches('.').to_ascii_lowercase());
    let page = context.wait(collect(limit, async |page| {
        let query = DecisionListQuery {
            limit: page.limit,
            cursor: page.cursor,
            agent: arguments.agent.clone(),
            session_id: arguments.session.clone(),
            host: host.clone(),
            refused: !arguments.all,
        };
        client.decision_list(&query).await
    }))?;
    if arguments.suggest {
        return snippet::show(context, &page.items);
    }
    context.show(&page, |style| if arguments.all { all(&page.items, style) } else { denials(&page.items, style) })?;
    if page.next_cursor.is_some() {
        context.tell(&format!("there are more than these {}; `-n` shows more", page.items.len()));
    }
    Ok(())
}

fn denials(records: &[OutwardRecord], style: Style) -> String {
    let mut table = Table::new(&["TIME", "AGENT", "SESSION", "WHAT", "TIMES", "WHY"]);
    for record in records {
        let [time, agent, session] = whose(record);
        table.row([time, agent, session, what(record), times(record), why(record)]);
        if is_observed(record) {
            table.paint_last(Style::warn);
        }
    }
    table.render(style, "nothing was refused")
}

fn all(records: &[OutwardRecord], style: Style) -> String {
    let mut table = Table::new(&["TIME", "AGENT", "SESSION", "WHAT", "STATE", "TIMES", "OUT", "IN", "TOOK", "WHY"]);
    for record in records {
        let [time, agent, session] = whose(record);
        let state = record.state.as_str().to_owned();
        let (out, back) = (size(record.bytes_out), size(record.bytes_in));
        let took = format!("{} ms", record.duration_ms);
        table.row([time, agent, session, what(record), state, times(record), out, back, took, why(record)]);
        match record.state {
            OutwardState::Refused => table.paint_last(Style::bad),
            _ if is_observed(record) => table.paint_last(Style::warn),
            _ => {}
        }
    }
    table.render(style, "no agent wanted to reach anything")
}

fn whose(record: &OutwardRecord) -> [String; 3] {
    let session = record.session_id.as_ref().map(ToString::to_string).unwrap_or_default();
    [short_time(record.at), record.agent.to_string(), session]
}

/// The host with its port, and the request where it could be read.
fn what(record: &OutwardRecord) -> String {
    let host = &record.host;
    let place = record.port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
    match (&record.method, &record.path) {
        (Some(method), Some(path)) => format!("{place} {method} {path}"),
        _ if record.manner == "name" => format!("{place} (its name)"),
        _ => place,
    }
}

fn times(record: &OutwardRecord) -> String {
    record.repeated.saturating_add(1).to_string()
}

/// Whether it happened although no grant allows it.
fn is_observed(record: &OutwardRecord) -> bool {
    record.observed && record.state != OutwardState::Refused
}

/// Why not; of what was let out the rule that did it.
fn why(record: &OutwardRecord) -> String {
    let observed = if is_observed(record) { "observed: " } else { "" };
    match (record.refusal, record.rule()) {
        (Some(refusal), _) => format!("{observed}{}", refusal.said()),
        (None, Some(rule)) => format!("by {rule}"),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Records with these fields in place of the usual ones.
    fn records(all: &[Value]) -> Vec<OutwardRecord> {
        let record = |fields: &Value| {
            let mut whole = json!({
                "id": aegis_model::DecisionId::generate(aegis_model::Timestamp::from_millis(1), [1; 10]), "at": "2026-07-31T10:00:00.000Z", "agent": "triage",
                "version": 1, "session_id": "ada", "host": "api.example.com", "port": 443, "manner": "tls",
                "allowed": false, "state": "refused", "refusal": "not_permitted", "reasons": [], "policy_hash": "",
                "bytes_out": 0, "bytes_in": 0, "duration_ms": 0,
            });
            for (name, value) in fields.as_object().expect("a map") {
                whole[name] = value.clone();
            }
            serde_json::from_value(whole).expect("a record")
        };
        all.iter().map(record).collect()
    }

    const PLAIN: Style = Style { colour: false };

    #[test]
    fn a_refusal_says_what_whose_how_often_and_why() {
        let records = records(&[
            json!({}),
            json!({"manner": "http", "port": 80, "method": "GET", "path": "/a", "repeated": 4}),
            json!({"manner": "name", "port": null, "session_id": null}),
            json!({"observed": true, "state": "ended"}),
            json!({"observed": true, "refusal": "address"}),
        ]);
        let expected = "\
TIME                  AGENT   SESSION  WHAT                        TIMES  WHY
2026-07-31 10:00:00Z  triage  ada      api.example.com:443         1      no grant names it
2026-07-31 10:00:00Z  triage  ada      api.example.com:80 GET /a   5      no grant names it
2026-07-31 10:00:00Z  triage           api.example.com (its name)  1      no grant names it
2026-07-31 10:00:00Z  triage  ada      api.example.com:443         1      observed: no grant names it
2026-07-31 10:00:00Z  triage  ada      api.example.com:443         1      its address is not a public one, and no \
grant names the range";
        assert_eq!(denials(&records, PLAIN), expected);
        assert_eq!(denials(&[], PLAIN), "nothing was refused");
    }

    #[test]
    fn every_decision_says_how_much_was_moved_and_by_which_rule() {
        let by = json!([{"layer": "grants", "allowed": true, "class": "permitted", "policies": ["network-0"]}]);
        let records = records(&[
            json!({"allowed": true, "state": "ended", "refusal": null, "reasons": by, "bytes_out": 1_550,
                   "bytes_in": 2, "duration_ms": 12}),
            json!({}),
        ]);
        let expected = "\
TIME                  AGENT   SESSION  WHAT                 STATE    TIMES  OUT      IN       TOOK   WHY
2026-07-31 10:00:00Z  triage  ada      api.example.com:443  ended    1      1.5 kB   2 bytes  12 ms  by network-0
2026-07-31 10:00:00Z  triage  ada      api.example.com:443  refused  1      0 bytes  0 bytes  0 ms   no grant names it";
        assert_eq!(all(&records, PLAIN), expected);
    }

    #[test]
    fn a_host_that_was_made_up_cannot_draw() {
        let shown = denials(&records(&[json!({"host": "x\u{1b}[2J\ny"})]), PLAIN);
        assert!(!shown.contains('\u{1b}') && shown.lines().count() == 2, "{shown}");
    }
}
