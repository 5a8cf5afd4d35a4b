//! Grants allow exactly what they name, and no text of a manifest becomes a rule of its own.

use std::collections::BTreeMap;

use aegis_model::AgentName;
use aegis_model::decision::PolicyLayer;
use aegis_model::manifest::Permissions;
use proptest::prelude::*;

use super::{House, agent, compiled, request, tenant, text, thing};
use crate::{
    ContextValue, GrantAction, GrantProblem, GrantRequest, NetworkGrant, PathAccess, PathGrant, PolicySource, Request,
    ResourceType, SecretGrant, Transport, grant_policies,
};

fn granted(asked: &GrantRequest) -> Result<Vec<PolicySource>, Vec<GrantProblem>> {
    grant_policies(&"triage".parse::<AgentName>().unwrap(), &tenant("acme"), asked)
}

fn house(asked: &GrantRequest) -> House {
    House::new().with_grants(&granted(asked).unwrap())
}

fn host(host: &str) -> NetworkGrant {
    NetworkGrant {
        host: host.to_owned(),
        ports: vec![443],
        methods: None,
        paths: None,
        websocket: false,
        transport: Transport::Http,
        cidr: None,
    }
}

fn network(grant: NetworkGrant) -> GrantRequest {
    GrantRequest { network: vec![grant], ..GrantRequest::default() }
}

fn connect(name: &str) -> Request {
    let mut asked = request(agent("triage"), GrantAction::Connect, thing(ResourceType::Host, name));
    asked.context = BTreeMap::from([
        ("port".to_owned(), ContextValue::Long(443)),
        ("protocol".to_owned(), text("http")),
        ("websocket".to_owned(), ContextValue::Bool(false)),
        ("hidden".to_owned(), ContextValue::Bool(false)),
        ("method".to_owned(), text("GET")),
        ("path".to_owned(), text("/")),
    ]);
    asked
}

fn with(mut asked: Request, name: &str, value: ContextValue) -> Request {
    asked.context.insert(name.to_owned(), value);
    asked
}

/// Which of the hosts the grant reaches.
fn reached<'a>(granted: &str, hosts: &[&'a str]) -> Vec<&'a str> {
    let house = house(&network(host(granted)));
    hosts.iter().copied().filter(|name| house.decide(&connect(name)).allowed).collect()
}

#[test]
fn a_wildcard_reaches_hosts_below_the_domain_and_nothing_else() {
    let long = format!("{}.github.com", "a".repeat(64));
    let hosts = [
        "api.github.com",
        "a.b.github.com",
        "github.com",
        "evilgithub.com",
        "github.com.evil.io",
        "api.github.com.",
        ".github.com",
        "a..github.com",
        "API.github.com",
        "api.GITHUB.com",
        "a@b.github.com",
        "evil.io/.github.com",
        "evil.io#.github.com",
        "evil.io\\.github.com",
        "evil.io:443.github.com",
        "a b.github.com",
        "a\0.github.com",
        "a%2e.github.com",
        "ａ.github.com",
        "api.github.com\n",
        "*.github.com",
        "github.com.github.com.evil.io",
        "",
        long.as_str(),
    ];
    assert_eq!(reached("*.github.com", &hosts), ["api.github.com", "a.b.github.com"]);
}

#[test]
fn an_exact_host_is_that_host() {
    let hosts =
        ["api.github.com", "x.api.github.com", "api.github.com.", "API.GITHUB.COM", "api.github.co", "api.github.com "];
    assert_eq!(reached("api.github.com", &hosts), ["api.github.com"]);
}

#[test]
fn hosts_that_are_not_in_normal_form_are_not_granted() {
    for name in
        ["", "*", "*.", "*.com", "API.github.com", "a.b.", "a:443", "*.*.com", "a*.com", "*.0.0.1", "\"", "é.com"]
    {
        let problems = granted(&network(host(name))).unwrap_err();
        assert_eq!(
            problems.iter().map(|problem| problem.pointer.as_str()).collect::<Vec<_>>(),
            ["/network/0/host"],
            "{name}"
        );
    }
}

#[test]
fn everything_about_a_connection_has_to_be_granted() {
    let methods = Some(vec!["GET".to_owned(), "POST".to_owned()]);
    let house = house(&network(NetworkGrant { methods, ..host("api.github.com") }));
    let allowed = |asked: &Request| house.decide(asked).allowed;
    let plain = || connect("api.github.com");
    assert!(allowed(&plain()));
    assert!(allowed(&with(plain(), "method", text("POST"))));
    for (name, value) in [
        ("port", ContextValue::Long(8443)),
        ("protocol", text("tcp")),
        ("protocol", text("passthrough")),
        ("websocket", ContextValue::Bool(true)),
        ("method", text("DELETE")),
        ("method", text("get")),
        ("private_address", ContextValue::Address { address: "10.0.0.1".parse().unwrap() }),
    ] {
        assert!(!allowed(&with(plain(), name, value)), "{name}");
    }
    let mut unknown = plain();
    unknown.context.remove("method");
    assert!(!allowed(&unknown));
    let mut other = plain();
    other.subject.id = "somebody".to_owned();
    assert!(!allowed(&other));
    let mut elsewhere = plain();
    elsewhere.subject.tenant = tenant("other");
    elsewhere.resource.tenant = tenant("other");
    assert!(!allowed(&elsewhere));
}

#[test]
fn only_a_named_range_reaches_a_private_address() {
    let grant = |cidr: &str| NetworkGrant {
        cidr: Some(cidr.to_owned()),
        transport: Transport::Tcp,
        ..host("db.internal.example")
    };
    let asked = |address: &str| {
        let plain = with(connect("db.internal.example"), "protocol", text("tcp"));
        with(plain, "private_address", ContextValue::Address { address: address.parse().unwrap() })
    };
    let four = house(&network(grant("10.20.0.0/16")));
    let allowed: Vec<&str> =
        ["10.20.0.0", "10.20.255.255", "10.21.0.0", "10.19.255.255", "127.0.0.1", "169.254.169.254", "fd00::1"]
            .into_iter()
            .filter(|address| four.decide(&asked(address)).allowed)
            .collect();
    assert_eq!(allowed, ["10.20.0.0", "10.20.255.255"]);
    let six = house(&network(grant("fd12:3456::/32")));
    assert!(six.decide(&asked("fd12:3456::1")).allowed && !six.decide(&asked("fd12:3457::1")).allowed);
    for cidr in ["10.20.0.0", "0.0.0.0/0", "10.0.0.0/33", "\") || true || ip(\"10.0.0.0/8"] {
        assert!(granted(&network(grant(cidr))).is_err(), "{cidr}");
    }
}

/// Which of the paths the granted one lets through.
fn paths<'a>(granted: &str, paths: &[&'a str]) -> Vec<&'a str> {
    let house = house(&network(NetworkGrant { paths: Some(vec![granted.to_owned()]), ..host("h.example.com") }));
    let asked = |path: &str| with(connect("h.example.com"), "path", text(path));
    paths.iter().copied().filter(|path| house.decide(&asked(path)).allowed).collect()
}

#[test]
fn a_path_is_exact_or_everything_below_a_prefix() {
    let asked = ["/repos", "/repos/", "/repos/a", "/repos/a/b", "/reposx", "/Repos/a", "/x/repos/a"];
    assert_eq!(paths("/repos/a", &asked), ["/repos/a"]);
    assert_eq!(paths("/repos/**", &asked), ["/repos/", "/repos/a", "/repos/a/b"]);
    assert_eq!(paths("/**", &asked), asked);
}

#[test]
fn a_star_stays_within_its_segment() {
    let asked = ["/r/a/i", "/r/a/b/i", "/r//i", "/r/a/i/x", "/r/a%2fb/i", "/r/a%2Fb/i", "/r/a%20b/i", "/r/../i"];
    assert_eq!(paths("/r/*/i", &asked), ["/r/a/i", "/r/a%20b/i"]);
    assert_eq!(paths("/v*/x", &["/v1/x", "/v/x", "/v1/y/x", "/w/x"]), ["/v1/x", "/v/x"]);
}

#[test]
fn a_path_that_may_lead_out_of_its_prefix_is_denied() {
    let asked = [
        "/r/../admin",
        "/r/a/../../admin",
        "/r/..",
        "/r/.",
        "/r/./a",
        "/r//a",
        "/r/%2e%2e/admin",
        "/r/%2E%2e/admin",
        "/r/..%2fadmin",
        "/r/a%2F../admin",
        "/r/..%2Fadmin",
        "/r/%252e%252e/admin",
        "/r/..\\admin",
        "/r/..%5cadmin",
        "/r/..;/admin",
        "/r/a%00",
        "/r/a/..",
    ];
    assert_eq!(paths("/r/**", &asked), Vec::<&str>::new());
    assert_eq!(
        paths("/r/**", &["/r/a..b", "/r/a%2Fb", "/r/...", "/r/.git"]),
        ["/r/a..b", "/r/a%2Fb", "/r/...", "/r/.git"]
    );
}

#[test]
fn what_cannot_be_kept_exactly_is_refused() {
    for path in ["", "repos", "/a/**/b", "/*/**", "/a**", "**"] {
        let asked = network(NetworkGrant { paths: Some(vec![path.to_owned()]), ..host("h.example.com") });
        assert!(granted(&asked).is_err(), "{path}");
    }
    let blind = NetworkGrant { transport: Transport::Passthrough, ..host("h.example.com") };
    for grant in [
        NetworkGrant { paths: Some(vec!["/a".to_owned()]), ..blind.clone() },
        NetworkGrant { methods: Some(vec!["GET".to_owned()]), ..blind.clone() },
        NetworkGrant { websocket: true, ..blind.clone() },
    ] {
        assert!(granted(&network(grant)).is_err());
    }
    assert!(granted(&network(blind)).is_ok());
}

#[test]
fn an_empty_list_allows_nothing() {
    for grant in [
        NetworkGrant { ports: Vec::new(), ..host("h.example.com") },
        NetworkGrant { methods: Some(Vec::new()), ..host("h.example.com") },
        NetworkGrant { paths: Some(Vec::new()), ..host("h.example.com") },
    ] {
        assert!(!house(&network(grant)).decide(&connect("h.example.com")).allowed);
    }
    assert!(!house(&GrantRequest::default()).decide(&connect("h.example.com")).allowed);
}

/// Which of the names an entry of the list grants.
fn named<'a>(entry: &str, action: GrantAction, names: &[&'a str]) -> Vec<&'a str> {
    let list = vec![entry.to_owned()];
    let (asked, kind) = match action {
        GrantAction::CallTool => (GrantRequest { tools: list, ..GrantRequest::default() }, ResourceType::Tool),
        GrantAction::UseModel => (GrantRequest { models: list, ..GrantRequest::default() }, ResourceType::Model),
        _ => (GrantRequest { agents: list, ..GrantRequest::default() }, ResourceType::Agent),
    };
    let house = house(&asked);
    names
        .iter()
        .copied()
        .filter(|name| house.decide(&request(agent("triage"), action, thing(kind, name))).allowed)
        .collect()
}

#[test]
fn tools_models_and_agents_are_granted_by_name() {
    let tools = [
        "http_call",
        "http_callx",
        "mcp:github/a",
        "mcp:github/a/b",
        "mcp:github/",
        "mcp:github",
        "mcp:githubx/a",
        "mcp:gitlab/a",
    ];
    let call = |entry: &str| named(entry, GrantAction::CallTool, &tools);
    assert_eq!(call("http_call"), ["http_call"]);
    assert_eq!(call("http_*"), ["http_call", "http_callx"]);
    assert_eq!(call("*"), ["http_call", "http_callx"]);
    assert_eq!(call("mcp:github/*"), ["mcp:github/a", "mcp:github/a/b"]);
    assert_eq!(call("mcp:github/a"), ["mcp:github/a"]);
    assert_eq!(call("mcp:github/a*"), ["mcp:github/a", "mcp:github/a/b"]);
    for tool in ["", "mcp:", "mcp:github", "mcp:/a", "mcp:github/", "mcp:*/a", "mcp:*", "mcp:git*/a"] {
        assert!(granted(&GrantRequest { tools: vec![tool.to_owned()], ..GrantRequest::default() }).is_err(), "{tool}");
    }
    let models = ["gpt-4", "gpt-", "gpt", "xgpt-4", "GPT-4"];
    assert_eq!(named("gpt-*", GrantAction::UseModel, &models), ["gpt-4", "gpt-"]);
    assert_eq!(named("gpt-4", GrantAction::UseModel, &models), ["gpt-4"]);
    assert_eq!(named("summarizer", GrantAction::InvokeAgent, &["summarizer", "triage"]), ["summarizer"]);
}

#[test]
fn a_volume_is_granted_below_its_path_and_for_its_access() {
    let grant = |access| PathGrant { path: "/data/reports".to_owned(), access, volume: "reports".to_owned() };
    let allowed = |access, action: GrantAction, volume: &str, path: &str| {
        let house = house(&GrantRequest { filesystem: vec![grant(access)], ..GrantRequest::default() });
        let asked = request(agent("triage"), action, thing(ResourceType::Volume, volume));
        house.decide(&with(asked, "path", text(path))).allowed
    };
    use GrantAction::{ReadPath, WritePath};
    for path in ["/data/reports", "/data/reports/a", "/data/reports/a/b.txt", "/data/reports/50%25"] {
        assert!(allowed(PathAccess::Read, ReadPath, "reports", path), "{path}");
    }
    for path in ["/data", "/data/reportsx", "/data/reports/../secret", "/data/reports/..", "/etc/passwd", ""] {
        assert!(!allowed(PathAccess::Write, WritePath, "reports", path), "{path}");
    }
    assert!(!allowed(PathAccess::Read, WritePath, "reports", "/data/reports/a"));
    assert!(allowed(PathAccess::Write, ReadPath, "reports", "/data/reports/a"));
    assert!(allowed(PathAccess::Write, WritePath, "reports", "/data/reports/a"));
    assert!(!allowed(PathAccess::Write, WritePath, "other", "/data/reports/a"));
}

#[test]
fn a_star_in_a_volumes_path_is_a_star() {
    let grant = PathGrant { path: "/data/*".to_owned(), access: PathAccess::Read, volume: "v".to_owned() };
    let house = house(&GrantRequest { filesystem: vec![grant], ..GrantRequest::default() });
    let asked = |path: &str| {
        let asked = request(agent("triage"), GrantAction::ReadPath, thing(ResourceType::Volume, "v"));
        house.decide(&with(asked, "path", text(path))).allowed
    };
    assert!(asked("/data/*") && asked("/data/*/a"));
    assert!(!asked("/data/b") && !asked("/data/b/a"));
}

#[test]
fn a_secret_goes_to_its_host_and_port_only() {
    let secret = SecretGrant { name: "token".to_owned(), host: "api.github.com".to_owned(), port: 443 };
    let house = house(&GrantRequest { secrets: vec![secret], ..GrantRequest::default() });
    let allowed = |name: &str, host: &str, port: i64| {
        let asked = request(agent("triage"), GrantAction::UseSecret, thing(ResourceType::Secret, name));
        house.decide(&with(with(asked, "host", text(host)), "port", ContextValue::Long(port))).allowed
    };
    assert!(allowed("token", "api.github.com", 443));
    assert!(
        !allowed("token", "evil.io", 443)
            && !allowed("token", "api.github.com", 80)
            && !allowed("other", "api.github.com", 443)
    );
}

#[test]
fn the_manifests_permissions_are_taken_over_whole() {
    let written = serde_json::json!({
        "network": [
            {"host": "api.github.com", "ports": [443], "methods": ["GET", "POST"], "paths": ["/repos/**"], "websocket": false},
            {"host": "db.internal.example", "ports": [5432], "protocol": "tcp", "cidr": "10.20.0.0/16"},
            {"host": "pinned.example", "ports": [443], "tls": "passthrough"},
        ],
        "filesystem": [{"path": "/data/reports", "access": "write", "volume": "reports"}],
        "tools": ["http_call", "mcp:github/*"],
        "models": ["gpt-*"],
        "agents": ["summarizer"],
        "secrets": [{"name": "github-token", "inject": {"host": "api.github.com", "header": "Authorization"}}],
    });
    let permissions: Permissions = serde_json::from_value(written).unwrap();
    let sources = granted(&GrantRequest::from(&permissions)).unwrap();
    let ids: Vec<&str> = sources.iter().map(|source| source.id.as_str()).collect();
    let expected = [
        "network/0/paths/0",
        "network/1",
        "network/2",
        "filesystem/0/read",
        "filesystem/0/write",
        "tools/0",
        "tools/1",
        "models/0",
        "agents/0",
        "secrets/0",
    ];
    assert_eq!(ids, expected);
    let house = House::new().with_grants(&sources);
    assert!(house.decide(&with(connect("api.github.com"), "path", text("/repos/a"))).allowed);
    assert!(!house.decide(&with(connect("api.github.com"), "path", text("/user"))).allowed);
    assert!(house.decide(&with(connect("pinned.example"), "protocol", text("passthrough"))).allowed);
}

/// Texts that try to end a literal, a pattern or a rule.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\"".to_owned()),
        Just("\\".to_owned()),
        Just("*".to_owned()),
        Just("\\u{2a}".to_owned()),
        Just("\n".to_owned()),
        Just("//".to_owned()),
        Just("); permit (principal, action, resource); //".to_owned()),
        Just("\" || true || \"".to_owned()),
        Just("\0".to_owned()),
        Just("\u{202e}".to_owned()),
        Just("mcp:".to_owned()),
        Just("/".to_owned()),
        Just("é".to_owned()),
        "[ -~]{0,6}",
        any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_of_a_grant_becomes_a_rule(tool in hostile(), model in hostile(), path in hostile(), method in hostile(), secret in hostile()) {
        let grant = NetworkGrant {
            methods: Some(vec![method]),
            paths: Some(vec![format!("/{path}")]),
            ..host("h.example.com")
        };
        let asked = GrantRequest {
            network: vec![grant],
            filesystem: vec![PathGrant { path: format!("/d{path}"), access: PathAccess::Read, volume: secret.clone() }],
            tools: vec![tool.clone()],
            models: vec![model.clone()],
            agents: Vec::new(),
            secrets: vec![SecretGrant { name: secret, host: "h.example.com".to_owned(), port: 1 }],
        };
        // Each entry on its own, so that one that is refused does not hide the others.
        let alone = [
            GrantRequest { network: asked.network.clone(), ..GrantRequest::default() },
            GrantRequest { filesystem: asked.filesystem.clone(), ..GrantRequest::default() },
            GrantRequest { tools: asked.tools.clone(), ..GrantRequest::default() },
            GrantRequest { models: asked.models.clone(), ..GrantRequest::default() },
            GrantRequest { secrets: asked.secrets.clone(), ..GrantRequest::default() },
        ];
        for asked in alone {
            let Ok(sources) = granted(&asked) else { continue };
            let set = compiled_unless_misleading(&sources);
            let Some(set) = set else { continue };
            prop_assert_eq!(set.len(), sources.len());
            let house = House { grants: Some(set), ..House::new() };
            // Nothing that was not named is let through, by any entry.
            for other in [
                request(agent("triage"), GrantAction::InvokeAgent, thing(ResourceType::Agent, "victim")),
                request(agent("other"), GrantAction::CallTool, thing(ResourceType::Tool, &tool)),
                connect("evil.io"),
            ] {
                prop_assert!(!house.decide(&other).allowed);
            }
        }
    }

    #[test]
    fn a_quoted_text_is_the_text(tool in hostile()) {
        let asked = GrantRequest { tools: vec![tool.clone()], ..GrantRequest::default() };
        if let (false, Ok(sources)) = (tool.contains('*'), granted(&asked))
            && let Some(set) = compiled_unless_misleading(&sources)
        {
            let house = House { grants: Some(set), ..House::new() };
            let call = |name: &str| request(agent("triage"), GrantAction::CallTool, thing(ResourceType::Tool, name));
            prop_assert!(house.decide(&call(&tool)).allowed);
            let longer = format!("{}x", tool);
            prop_assert!(!house.decide(&call(&longer)).allowed);
        }
    }

    #[test]
    fn a_quoted_pattern_matches_its_own_text_and_stars_only(prefix in hostile(), tail in hostile()) {
        prop_assume!(!prefix.contains('*') && !prefix.is_empty());
        let asked = GrantRequest { models: vec![format!("{}*", prefix)], ..GrantRequest::default() };
        if let Some(set) = compiled_unless_misleading(&granted(&asked).unwrap()) {
            let house = House { grants: Some(set), ..House::new() };
            let using = |name: &str| request(agent("triage"), GrantAction::UseModel, thing(ResourceType::Model, name));
            let covered = format!("{}{}", prefix, tail);
            prop_assert!(house.decide(&using(&covered)).allowed);
            prop_assert_eq!(house.decide(&using(&tail)).allowed, tail.starts_with(&prefix));
        }
    }
}

/// The compiler refuses letters that hide what a rule means; everything else must compile.
fn compiled_unless_misleading(sources: &[PolicySource]) -> Option<crate::PolicySet> {
    let hides = |problem: &crate::PolicyProblem| {
        ["BIDI", "mixed scripts", "General Security Profile"].iter().any(|why| problem.message.contains(why))
    };
    match crate::PolicySet::compile(PolicyLayer::Grants, sources) {
        Ok(set) => Some(set),
        Err(problems) if problems.iter().all(hides) => None,
        Err(_) => Some(compiled(PolicyLayer::Grants, sources)),
    }
}
