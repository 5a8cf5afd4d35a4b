//! `aegis approval …`.

mod approve;
mod deny;
mod list;
mod show;
mod wait;
mod withdraw;

use aegis_model::approval::{Approval, ApprovalState};

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Style, clean, clean_lines, short_time};

/// Approvals: what somebody else has to allow first
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Example:\n  aegis approval list --state pending")]
pub(crate) enum Verb {
    List(list::Arguments),
    Show(show::Arguments),
    Approve(approve::Arguments),
    Deny(deny::Arguments),
    Withdraw(withdraw::Arguments),
    Wait(wait::Arguments),
}

pub(crate) fn run(context: &mut Context, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::List(arguments) => list::run(context, &arguments),
        Verb::Show(arguments) => show::run(context, &arguments),
        Verb::Approve(arguments) => approve::run(context, arguments),
        Verb::Deny(arguments) => deny::run(context, arguments),
        Verb::Withdraw(arguments) => withdraw::run(context, &arguments),
        Verb::Wait(arguments) => wait::run(context, &arguments),
    }
}

/// How far it is, in the colour of what that means.
fn state(approval: &Approval, style: Style) -> String {
    let word = approval.state.as_str();
    match approval.state {
        ApprovalState::Pending => style.warn(word),
        ApprovalState::Approved | ApprovalState::Used => style.good(word),
        ApprovalState::Rejected | ApprovalState::Withdrawn | ApprovalState::Expired => style.bad(word),
    }
}

/// An approval in lines, and what was asked for below.
fn draw(approval: &Approval, style: Style) -> String {
    let act = format!("{} on {}", approval.operation.as_str(), approval.resource);
    let mut fields = vec![
        ("approval", approval.id.to_string()),
        ("act", act),
        ("asked by", format!("{}, {}", approval.principal, short_time(approval.requested_at))),
        ("who decides", approval.sentence.clone()),
        ("until", short_time(approval.expires_at)),
    ];
    if let (Some(by), Some(at)) = (&approval.decided_by, approval.decided_at) {
        fields.push(("decided by", format!("{by}, {}", short_time(at))));
    }
    if !approval.reason.is_empty() {
        fields.push(("reason", approval.reason.clone()));
    }
    if let Some(standing) = &approval.standing {
        let left = standing.uses_left.map_or_else(String::new, |left| format!(", {left} times more"));
        fields.push(("stands", format!("until {}{left}", short_time(standing.until))));
    }
    fields.push(("request", format!("{} {}", approval.asked.method, approval.asked.path)));
    let longest = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, value): &(&str, String)| {
        let gap = " ".repeat(longest - name.len());
        format!("{}{gap}  {}", style.faint(&format!("{name}:")), clean(value))
    };
    let first = format!("{}{}  {}", style.faint("state:"), " ".repeat(longest - "state".len()), state(approval, style));
    let lines = std::iter::once(first).chain(fields.iter().map(line));
    lines.chain(body(approval, style)).collect::<Vec<_>>().join("\n")
}

/// The body of the request, as far as the server shows it.
fn body(approval: &Approval, style: Style) -> Option<String> {
    let size = approval.asked.body_size_bytes;
    let Some(body) = &approval.asked.body else {
        return (size > 0).then(|| style.faint(&format!("    a body of {size} bytes, which is not shown")));
    };
    let text: String = clean_lines(body.trim()).lines().map(|line| format!("    {line}\n")).collect();
    let cut = (body.len() as u64) < size;
    let rest = if cut { style.faint(&format!("    … of {size} bytes")) } else { String::new() };
    Some(format!("{text}{rest}").trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use aegis_model::approval::{Asked, Standing};
    use aegis_model::{ApprovalId, Operation, Timestamp};

    use super::*;

    pub(super) fn approval(state: ApprovalState) -> Approval {
        let at = Timestamp::from_millis(1_700_000_000_000);
        Approval {
            id: ApprovalId::generate(at, [7; 10]),
            state,
            principal: "key/key_1".to_owned(),
            operation: Operation::AgentDelete,
            resource: "agent/triage".to_owned(),
            asked: Asked::of(Operation::AgentDelete, "/api/v1/agents/triage", b"{\"a\":1}"),
            action_mac: String::new(),
            policy_revision: 1,
            sentence: "The owner decides.".to_owned(),
            correlation_id: "cor_1".parse().expect("an id"),
            requested_at: at,
            expires_at: at.plus_ms(1),
            decided_by: None,
            decided_at: None,
            reason: String::new(),
            standing: None,
            used_by: None,
        }
    }

    #[test]
    fn whoever_decides_sees_what_was_asked_by_whom_and_who_should_decide() {
        let text = draw(&approval(ApprovalState::Pending), Style { colour: false });
        for told in ["pending", "agent_delete on agent/triage", "key/key_1", "The owner decides.", "    {\"a\":1}"] {
            assert!(text.contains(told), "{told}: {text}");
        }
        let stands = Standing { until: Timestamp::from_millis(0), uses_left: Some(3) };
        let text =
            draw(&Approval { standing: Some(stands), ..approval(ApprovalState::Approved) }, Style { colour: false });
        assert!(text.contains("3 times more"), "{text}");
    }

    #[test]
    fn what_was_asked_cannot_draw_on_the_terminal() {
        let asked = Asked::of(Operation::AgentDelete, "/\u{1b}[2J", "{\"a\":\"\u{1b}[31m\"}".as_bytes());
        let text = draw(&Approval { asked, ..approval(ApprovalState::Pending) }, Style { colour: false });
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }

    #[test]
    fn a_body_that_is_not_shown_whole_says_so() {
        let long = Asked::of(Operation::AgentInvoke, "/", &[b'x'; 9_000]);
        let text = draw(&Approval { asked: long, ..approval(ApprovalState::Pending) }, Style { colour: false });
        assert!(text.ends_with("… of 9000 bytes"), "{text}");
        let secret = Asked::of(Operation::SecretSet, "/", b"hidden");
        let text = draw(&Approval { asked: secret, ..approval(ApprovalState::Pending) }, Style { colour: false });
        assert!(text.ends_with("a body of 6 bytes, which is not shown"), "{text}");
    }
}
