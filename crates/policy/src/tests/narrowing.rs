//! Narrowing a grant never allows more, and taking one away never does either.

use std::collections::BTreeMap;

use aegis_model::AgentName;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::{House, agent, request, tenant, text, thing};
use crate::{ContextValue, GrantAction, GrantRequest, NetworkGrant, Request, ResourceType, Transport, grant_policies};

const HOSTS: [&str; 6] =
    ["example.com", "api.example.com", "a.api.example.com", "evilexample.com", "example.com.evil.io", "10.0.0.1"];
const PATHS: [&str; 9] = [
    "/",
    "/repos",
    "/repos/a",
    "/repos/a/b",
    "/repos/../admin",
    "/repos/%2e%2e/admin",
    "/repos//a",
    "/repos/a%2fb",
    "/admin",
];
const METHODS: [&str; 3] = ["GET", "POST", "DELETE"];

fn house(grants: &[NetworkGrant]) -> House {
    let asked = GrantRequest { network: grants.to_vec(), ..GrantRequest::default() };
    let name = "triage".parse::<AgentName>().unwrap();
    House::new().with_grants(&grant_policies(&name, &tenant("acme"), &asked).unwrap())
}

fn texts(all: &'static [&'static str]) -> impl Strategy<Value = Option<Vec<String>>> {
    let some = subsequence(all.to_vec(), 0..=all.len()).prop_map(|some| some.into_iter().map(str::to_owned).collect());
    proptest::option::of(some)
}

fn grant() -> impl Strategy<Value = NetworkGrant> {
    let host = select(vec!["example.com", "*.example.com", "api.example.com", "*.api.example.com"]);
    let ports = subsequence(vec![80_u16, 443, 8080], 0..=3);
    let inside = (texts(&METHODS), texts(&["/", "/repos/**", "/repos/*", "/admin"]), any::<bool>());
    let cidr = proptest::option::of(select(vec!["10.0.0.0/8", "10.20.0.0/16", "192.168.0.0/16"]));
    let transport = select(vec![Transport::Http, Transport::Http, Transport::Passthrough, Transport::Tcp]);
    (host, ports, inside, cidr, transport).prop_map(|(host, ports, (methods, paths, websocket), cidr, transport)| {
        let judged = transport == Transport::Http;
        NetworkGrant {
            host: host.to_owned(),
            ports,
            methods: methods.filter(|_| judged),
            paths: paths.filter(|_| judged),
            websocket: websocket && judged,
            transport,
            cidr: cidr.map(str::to_owned),
        }
    })
}

/// One way in which a grant can be made smaller.
fn narrowed(mut grant: NetworkGrant, way: u8) -> NetworkGrant {
    match way {
        0 => drop(grant.ports.pop()),
        1 if grant.transport == Transport::Http => {
            grant.methods =
                Some(grant.methods.map_or_else(|| vec!["GET".to_owned()], |list| list[..list.len() / 2].to_vec()));
        }
        2 if grant.transport == Transport::Http => {
            grant.paths =
                Some(grant.paths.map_or_else(|| vec!["/repos/**".to_owned()], |list| list[..list.len() / 2].to_vec()));
        }
        3 => grant.websocket = false,
        4 => grant.cidr = None,
        5 if grant.cidr.as_deref() == Some("10.0.0.0/8") => grant.cidr = Some("10.20.0.0/16".to_owned()),
        6 => {
            if let Some(domain) = grant.host.strip_prefix("*.") {
                grant.host = format!("*.api.{}", domain.trim_start_matches("api."));
            }
        }
        _ => {}
    }
    grant
}

fn wanted() -> impl Strategy<Value = Request> {
    let what =
        (select(HOSTS.to_vec()), select(vec![80_i64, 443, 8080, 22]), select(vec!["http", "passthrough", "tcp"]));
    let inside = (proptest::option::of((select(METHODS.to_vec()), select(PATHS.to_vec()))), any::<bool>());
    let address = proptest::option::of(select(vec!["10.20.0.5", "10.1.0.1", "192.168.1.1"]));
    (what, inside, address).prop_map(|((host, port, protocol), (read, websocket), address)| {
        let mut asked = request(agent("triage"), GrantAction::Connect, thing(ResourceType::Host, host));
        let mut context = BTreeMap::from([
            ("port".to_owned(), ContextValue::Long(port)),
            ("protocol".to_owned(), text(protocol)),
            ("websocket".to_owned(), ContextValue::Bool(websocket)),
            ("hidden".to_owned(), ContextValue::Bool(read.is_none())),
        ]);
        if let Some((method, path)) = read {
            context.extend([("method".to_owned(), text(method)), ("path".to_owned(), text(path))]);
        }
        if let Some(address) = address {
            let address = address.parse().unwrap();
            context.insert("private_address".to_owned(), ContextValue::Address { address });
        }
        asked.context = context;
        asked
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn narrowing_a_grant_never_allows_more(
        grants in proptest::collection::vec(grant(), 1..4),
        (which, way) in (any::<prop::sample::Index>(), 0..8_u8),
        asked in proptest::collection::vec(wanted(), 1..12),
    ) {
        let mut fewer = grants.clone();
        let place = which.index(fewer.len());
        if way == 7 {
            fewer.remove(place);
        } else {
            fewer[place] = narrowed(fewer[place].clone(), way);
        }
        let (before, after) = (house(&grants), house(&fewer));
        for request in asked {
            let (before, after) = (before.decide(&request).allowed, after.decide(&request).allowed);
            prop_assert!(before || !after, "{request:?} is allowed by {fewer:?} and not by {grants:?}");
        }
    }
}
