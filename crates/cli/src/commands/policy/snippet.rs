//! The grants that would have allowed what was refused, as a piece of a manifest. Must not know:
//! which grants that are.

use std::collections::BTreeMap;

use aegis_model::AgentName;
use aegis_model::manifest::{NetworkGrant, NetworkProtocol};
use aegis_model::outward::OutwardRecord;
use aegis_model::suggestion::{LeftOut, Suggestion, suggestion};
use serde::Serialize;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{clean, scalar};

/// What an agent would have to be granted.
#[derive(Serialize)]
struct Proposal {
    agent: AgentName,
    #[serde(flatten)]
    suggestion: Suggestion,
}

/// Proposals for several agents.
#[derive(Serialize)]
struct Proposals {
    items: Vec<Proposal>,
}

/// Writes what would have allowed it, each agent's own. Nothing is changed by that.
pub(super) fn show(context: &mut Context, records: &[OutwardRecord]) -> Result<(), Failure> {
    let mut whose: BTreeMap<&AgentName, Vec<OutwardRecord>> = BTreeMap::new();
    for record in records {
        whose.entry(&record.agent).or_default().push(record.clone());
    }
    let propose = |(agent, records): (&AgentName, Vec<OutwardRecord>)| Proposal {
        agent: agent.clone(),
        suggestion: suggestion(&records),
    };
    let proposals = Proposals { items: whose.into_iter().map(propose).collect() };
    if proposals.items.is_empty() {
        context.tell("nothing was refused, so there is nothing to suggest");
    }
    context.show(&proposals, |_| proposals.items.iter().map(draw).collect::<Vec<_>>().join("\n---\n"))
}

fn draw(proposal: &Proposal) -> String {
    let Proposal { agent, suggestion } = proposal;
    let mut lines = Vec::new();
    if suggestion.network.is_empty() {
        lines.push(format!("# There is no grant to suggest for agent `{agent}`."));
    } else {
        lines.push(format!("# What would have allowed what agent `{agent}` wanted to reach. Read it, strike out what"));
        lines.push("# it should not reach, add the rest to its manifest and deploy that.".to_owned());
        lines.extend(["spec:", "  permissions:", "    network:"].map(str::to_owned));
        lines.extend(suggestion.network.iter().map(|grant| entry(grant, suggestion)));
    }
    if !suggestion.left_out.is_empty() {
        lines.push("# Not suggested:".to_owned());
        lines.extend(suggestion.left_out.iter().map(left_out));
    }
    lines.join("\n")
}

/// An entry on one line, without what is so anyway.
fn entry(grant: &NetworkGrant, suggestion: &Suggestion) -> String {
    let ports: Vec<String> = grant.ports.iter().map(ToString::to_string).collect();
    let mut fields = vec![format!("host: {}", scalar(grant.host.as_str())), format!("ports: [{}]", ports.join(", "))];
    if grant.protocol == NetworkProtocol::Tcp {
        fields.push("protocol: tcp".to_owned());
    }
    if let Some(methods) = &grant.methods {
        let methods: Vec<&str> = methods.iter().map(|method| method.as_str()).collect();
        fields.push(format!("methods: [{}]", methods.join(", ")));
    }
    if let Some(paths) = &grant.paths {
        let paths: Vec<String> = paths.iter().map(|path| scalar(path.as_str())).collect();
        fields.push(format!("paths: [{}]", paths.join(", ")));
    }
    let guessed = suggestion.ports_guessed.iter().any(|host| host == grant.host.as_str());
    let remark = if guessed { "  # the port is not known: only the name was asked for" } else { "" };
    format!("      - {{{}}}{remark}", fields.join(", "))
}

fn left_out(left: &LeftOut) -> String {
    let port = left.port.map(|port| format!(":{port}")).unwrap_or_default();
    clean(&format!("#   {}{port}: {}", left.host, left.why))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn proposal(network: &Value, guessed: &[&str], left_out: &[(&str, Option<u16>, &str)]) -> Proposal {
        let left = |(host, port, why): &(&str, Option<u16>, &str)| LeftOut {
            host: (*host).to_owned(),
            port: *port,
            why: (*why).to_owned(),
        };
        let suggestion = Suggestion {
            network: serde_json::from_value(network.clone()).expect("grants"),
            ports_guessed: guessed.iter().map(|host| (*host).to_owned()).collect(),
            left_out: left_out.iter().map(left).collect(),
        };
        Proposal { agent: "triage".parse().expect("a name"), suggestion }
    }

    #[test]
    fn a_proposal_is_a_piece_of_a_manifest_and_says_what_it_leaves_out() {
        let network = json!([
            {"host": "db.example.com", "ports": [5432], "protocol": "tcp"},
            {"host": "named.example.com", "ports": [443]},
            {"host": "api.example.com", "ports": [80, 8080], "methods": ["GET", "POST"],
             "paths": ["/a", "/a,b", "/it's/[x]"]},
        ]);
        let left = [("evil.example.com", Some(443), "a rule forbids it"), ("x\n- y", None, "no")];
        let text = draw(&proposal(&network, &["named.example.com"], &left));
        let expected = "\
# What would have allowed what agent `triage` wanted to reach. Read it, strike out what
# it should not reach, add the rest to its manifest and deploy that.
spec:
  permissions:
    network:
      - {host: db.example.com, ports: [5432], protocol: tcp}
      - {host: named.example.com, ports: [443]}  # the port is not known: only the name was asked for
      - {host: api.example.com, ports: [80, 8080], methods: [GET, POST], paths: [/a, \"/a,b\", \"/it's/[x]\"]}
# Not suggested:
#   evil.example.com:443: a rule forbids it
#   x\\u{a}- y: no";
        assert_eq!(text, expected);
        let read = aegis_model::manifest::document(text.as_bytes()).expect("YAML");
        let read: Vec<NetworkGrant> =
            serde_json::from_value(read["spec"]["permissions"]["network"].clone()).expect("grants");
        assert_eq!(json!(read), json!(serde_json::from_value::<Vec<NetworkGrant>>(network).expect("grants")));
    }

    #[test]
    fn without_a_grant_there_is_only_why() {
        let text = draw(&proposal(&json!([]), &[], &[("a.example.com", None, "a rule forbids it")]));
        assert_eq!(
            text,
            "# There is no grant to suggest for agent `triage`.\n# Not suggested:\n#   a.example.com: a rule forbids it"
        );
    }
}
