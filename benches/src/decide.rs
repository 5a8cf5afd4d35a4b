//! How long a decision takes: sliced against unsliced Cedar, in the same run, on the same
//! rules and requests. Must not know how slicing works.

use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::io::Write;
use std::time::{Duration, Instant};

use aegis_model::decision::PolicyLayer;
use aegis_model::{Operation, Role, TenantId};
use aegis_policy::reference::{Unsliced, UnslicedSets, ask_one, ask_one_unsliced, decide_unsliced};
use aegis_policy::{
    ActionName, ContextValue, GrantAction, GrantRequest, NetworkGrant, PolicySet, PolicySource, Request, Resource,
    ResourceType, Sets, Subject, SubjectKind, Transport, decide, default_tenant_policies, grant_policies,
    platform_rules,
};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Decisions measured sliced.
const SLICED_TIMES: usize = 20_000;
/// Rule evaluations that the unsliced measurement may cost.
const UNSLICED_RULES: usize = 4_000_000;

/// Prints p50 and p99 of one set at growing size, and of all three sets.
///
/// # Errors
/// When a set does not compile, or both ways do not give the same answer.
pub fn run() -> Outcome {
    let mut out = std::io::stdout().lock();
    writeln!(out, "one set, rules for many principals and resources")?;
    heading(&mut out)?;
    for size in [10, 100, 1_000, 10_000] {
        one_set(&mut out, size, mixed_rule)?;
    }
    writeln!(out, "\none set, every rule for everybody and everything: nothing can be sliced away")?;
    heading(&mut out)?;
    for size in [10, 100, 1_000] {
        one_set(&mut out, size, broad_rule)?;
    }
    writeln!(out, "\nall three sets, 100 rules each")?;
    heading(&mut out)?;
    three_sets(&mut out, 100)?;
    writeln!(out, "\nall three sets, 1,000 rules each")?;
    heading(&mut out)?;
    three_sets(&mut out, 1_000)
}

fn heading(out: &mut impl Write) -> Outcome {
    let columns =
        ["rules", "p50", "p99", "calm p99", "unsliced p50", "unsliced p99", "p50 ratio", "p99 ratio", "compile"];
    for column in columns {
        write!(out, "{column:>13}")?;
    }
    Ok(writeln!(out)?)
}

/// A rule for one principal or one resource, of eight kinds in turn.
fn mixed_rule(index: usize) -> String {
    let i = index / 8;
    match index % 8 {
        0 => format!(
            "permit(principal == Key::\"key-{i}\", action == Action::\"agent_view\", resource == Agent::\"agent-{i}\");"
        ),
        1 => format!(
            "permit(principal is Key, action in Action::\"read\", resource == Agent::\"agent-{i}\") when {{ principal.name like \"key-*\" }};"
        ),
        2 => format!(
            "forbid(principal == Key::\"key-{i}\", action in Action::\"administer\", resource) unless {{ principal in Role::\"admin\" }};"
        ),
        3 => format!(
            "forbid(principal, action == Action::\"endpoint_set\", resource == Agent::\"agent-{i}\") when {{ context.endpoint == \"prod\" }};"
        ),
        4 => format!(
            "permit(principal == Agent::\"agent-{i}\", action == Action::\"connect\", resource == Host::\"h{i}.example.com\") when {{ context.port == 443 }};"
        ),
        5 => format!(
            "permit(principal == Agent::\"agent-{i}\", action == Action::\"call_tool\", resource in Toolset::\"mcp:server-{i}\");"
        ),
        6 => format!(
            "forbid(principal == Agent::\"agent-{i}\", action == Action::\"use_model\", resource == Model::\"model-{i}\");"
        ),
        _ => format!(
            "permit(principal in Role::\"operator\", action in [Action::\"read\", Action::\"operate\"], resource == Agent::\"agent-{i}\");"
        ),
    }
}

/// A rule whose scope names nothing.
fn broad_rule(index: usize) -> String {
    format!("permit(principal, action, resource) when {{ resource.name == \"agent-{index}\" }};")
}

fn sources(size: usize, rule: fn(usize) -> String) -> Vec<PolicySource> {
    (0..size).map(|index| PolicySource { id: format!("rule-{index}"), text: rule(index) }).collect()
}

fn compiled(layer: PolicyLayer, sources: &[PolicySource]) -> Outcome<PolicySet> {
    PolicySet::compile(layer, sources).map_err(|problems| {
        let first = problems.first().map(ToString::to_string).unwrap_or_default();
        format!("{} problems, the first: {first}", problems.len()).into()
    })
}

/// Requests of five kinds that meet some of the rules, whatever the size of the set.
fn requests(size: usize) -> Outcome<Vec<Request>> {
    let tenant: TenantId = "acme".parse()?;
    let people = (size / 8).max(1);
    let request = |turn: usize| {
        let i = (turn * 7) % people;
        let (kind, id, role) = match turn % 5 {
            0 | 1 => (SubjectKind::Key, format!("key-{i}"), Some(Role::Operator)),
            _ => (SubjectKind::Agent, format!("agent-{i}"), None),
        };
        let (action, resource, name): (ActionName, _, _) = match turn % 5 {
            0 => (Operation::AgentView.into(), ResourceType::Agent, format!("agent-{i}")),
            1 => (Operation::EndpointSet.into(), ResourceType::Agent, format!("agent-{i}")),
            2 => (GrantAction::Connect.into(), ResourceType::Host, format!("h{i}.example.com")),
            3 => (GrantAction::CallTool.into(), ResourceType::Tool, format!("mcp:server-{i}/do")),
            _ => (GrantAction::UseModel.into(), ResourceType::Model, format!("model-{i}")),
        };
        let context = match turn % 5 {
            1 => BTreeMap::from([("endpoint".to_owned(), ContextValue::Text("prod".to_owned()))]),
            2 => BTreeMap::from([
                ("port".to_owned(), ContextValue::Long(443)),
                ("protocol".to_owned(), ContextValue::Text("http".to_owned())),
                ("websocket".to_owned(), ContextValue::Bool(false)),
                ("hidden".to_owned(), ContextValue::Bool(false)),
            ]),
            _ => BTreeMap::new(),
        };
        let subject = Subject { kind, id, tenant: tenant.clone(), role };
        let resource = Resource { kind: resource, id: name, tenant: tenant.clone() };
        Request { subject, action, resource, context, at: None, counts: BTreeMap::new(), document: BTreeMap::new() }
    };
    Ok((0..100).map(request).collect())
}

fn one_set(out: &mut impl Write, size: usize, rule: fn(usize) -> String) -> Outcome {
    let sources = sources(size, rule);
    let start = Instant::now();
    let set = compiled(PolicyLayer::Tenant, &sources)?;
    let compile = start.elapsed();
    let unsliced = Unsliced::of(&set)?;
    let requests = requests(size)?;
    for request in &requests {
        if ask_one(&set, request) != ask_one_unsliced(&set, &unsliced, request) {
            return Err(format!("sliced and unsliced answer differently: {request:?}").into());
        }
    }
    let sliced = measure(&requests, SLICED_TIMES, |request| drop(black_box(ask_one(&set, request))));
    let times = (UNSLICED_RULES / size).clamp(200, SLICED_TIMES);
    let whole = measure(&requests, times, |request| drop(black_box(ask_one_unsliced(&set, &unsliced, request))));
    row(out, size, sliced, whole, compile)
}

/// The installation's own rules and more forbids, a tenant's mixed rules, and what one agent
/// was granted.
fn three_sets(out: &mut impl Write, size: usize) -> Outcome {
    let start = Instant::now();
    let mut own = platform_rules();
    own.extend(sources(size - own.len(), |index| mixed_rule(index * 8 + [2, 3, 6][index % 3])));
    let platform = compiled(PolicyLayer::Platform, &own)?;
    let mut own = default_tenant_policies();
    own.extend(sources(size - own.len(), mixed_rule));
    let tenant = compiled(PolicyLayer::Tenant, &own)?;
    let grants = compiled(PolicyLayer::Grants, &grants(size)?)?;
    let compile = start.elapsed();

    let whole = (Unsliced::of(&platform)?, Unsliced::of(&tenant)?, Unsliced::of(&grants)?);
    let for_agents = Sets { platform: &platform, tenant: &tenant, grants: Some(&grants) };
    let sets = |request: &Request| match request.subject.kind {
        SubjectKind::Agent => for_agents,
        SubjectKind::Key | SubjectKind::User | SubjectKind::System => Sets { grants: None, ..for_agents },
    };
    let unsliced = |request: &Request| {
        let sets = sets(request);
        let grants = sets.grants.map(|_| &whole.2);
        decide_unsliced(&UnslicedSets { sets, platform: &whole.0, tenant: &whole.1, grants }, request)
    };
    let mut requests = requests(size)?;
    for request in requests.iter_mut().filter(|request| request.subject.kind == SubjectKind::Agent) {
        "agent-1".clone_into(&mut request.subject.id);
    }
    let mut allowed = 0;
    for request in &requests {
        let verdict = decide(&sets(request), request);
        allowed += usize::from(verdict.allowed);
        if verdict != unsliced(request) {
            return Err(format!("sliced and unsliced answer differently: {request:?}").into());
        }
    }
    let sliced = measure(&requests, SLICED_TIMES, |request| drop(black_box(decide(&sets(request), request))));
    let whole = measure(&requests, SLICED_TIMES, |request| drop(black_box(unsliced(request))));
    row(out, size * 3, sliced, whole, compile)?;
    Ok(writeln!(out, "{allowed} of {} requests are allowed", requests.len())?)
}

/// What a manifest with that many entries becomes.
fn grants(size: usize) -> Outcome<Vec<PolicySource>> {
    let host = |index: usize| NetworkGrant {
        host: format!("h{index}.example.com"),
        ports: vec![443],
        methods: None,
        paths: None,
        websocket: false,
        transport: Transport::Http,
        cidr: None,
    };
    let asked = GrantRequest {
        network: (0..size / 2).map(host).collect(),
        tools: (0..size / 4).map(|index| format!("mcp:server-{index}/*")).collect(),
        models: (0..size / 4).map(|index| format!("model-{index}")).collect(),
        ..GrantRequest::default()
    };
    grant_policies(&"agent-1".parse()?, &"acme".parse()?, &asked)
        .map_err(|problems| format!("{} grants are refused", problems.len()).into())
}

/// The median, and what one in a hundred exceeds.
struct Spread {
    p50: Duration,
    p99: Duration,
    /// The same, each time the best of three in a row: without what else the machine was doing.
    calm_p99: Duration,
}

/// How long it takes.
fn time(act: impl FnOnce()) -> Duration {
    let start = Instant::now();
    act();
    start.elapsed()
}

/// What this share of the samples stays below.
fn percentile(samples: impl Iterator<Item = Duration>, percent: usize) -> Duration {
    let mut samples: Vec<Duration> = samples.collect();
    samples.sort_unstable();
    samples.get(samples.len() * percent / 100).copied().unwrap_or_default()
}

fn measure(requests: &[Request], times: usize, act: impl Fn(&Request)) -> Spread {
    requests.iter().for_each(&act);
    let triple = |request: &Request| [(); 3].map(|()| time(|| act(request)));
    let samples: Vec<[Duration; 3]> = requests.iter().cycle().take(times.div_ceil(3)).map(triple).collect();
    let calm = samples.iter().filter_map(|triple| triple.iter().min().copied());
    let all = || samples.iter().flatten().copied();
    Spread { p50: percentile(all(), 50), p99: percentile(all(), 99), calm_p99: percentile(calm, 99) }
}

fn row(out: &mut impl Write, size: usize, sliced: Spread, whole: Spread, compile: Duration) -> Outcome {
    let micros = |time: Duration| format!("{:.1} µs", time.as_secs_f64() * 1e6);
    let ratio = |whole: Duration, sliced: Duration| format!("{:.1}×", whole.as_secs_f64() / sliced.as_secs_f64());
    let cells = [
        size.to_string(),
        micros(sliced.p50),
        micros(sliced.p99),
        micros(sliced.calm_p99),
        micros(whole.p50),
        micros(whole.p99),
        ratio(whole.p50, sliced.p50),
        ratio(whole.p99, sliced.p99),
        format!("{:.0} ms", compile.as_secs_f64() * 1e3),
    ];
    for cell in cells {
        write!(out, "{cell:>13}")?;
    }
    Ok(writeln!(out)?)
}
