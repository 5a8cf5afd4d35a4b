//! What holds for every manifest and every text, not only for those somebody thought of.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::Value;

use super::super::schema_walk::walk;
use super::super::tree::{Content, Node};
use super::super::*;
use super::sample::FULL;

/// A text of the form that the pattern says and the type checks.
fn formed<T>(pattern: &'static str) -> impl Strategy<Value = T>
where
    T: std::str::FromStr + std::fmt::Debug,
{
    pattern.prop_filter_map("the form", |text| text.parse().ok())
}

fn network_grant() -> impl Strategy<Value = NetworkGrant> {
    let methods = vec![HttpMethod::Get, HttpMethod::Post, HttpMethod::Delete, HttpMethod::Options];
    let paths = vec!["/", "/repos/**", "/a/*/b", "/v1/"];
    let http = (option::of(subsequence(methods, 0..4)), option::of(subsequence(paths, 0..4)), any::<bool>());
    let cidr = option::of(select(vec!["10.0.0.0/8", "192.168.7.0/24", "fd12::/16"]));
    let base =
        (formed("(\\*\\.)?[a-z0-9]{1,8}(\\.[a-z]{2,8}){1,3}"), subsequence(vec![1_u16, 80, 443, 65_535], 0..4), cidr);
    (base, http, 0..3_u8).prop_map(|((host, ports, cidr), (methods, paths, websocket), kind)| {
        // What is said inside TLS cannot be judged.
        let opened = kind == 0 && !ports.contains(&443);
        NetworkGrant {
            host,
            ports,
            methods: methods.filter(|_| opened),
            paths: paths
                .filter(|_| opened)
                .map(|paths| paths.into_iter().filter_map(|path| path.parse().ok()).collect()),
            websocket: websocket && opened,
            protocol: if kind == 1 { NetworkProtocol::Tcp } else { NetworkProtocol::Http },
            tls: if kind == 2 { TlsMode::Passthrough } else { TlsMode::Intercept },
            cidr: cidr.and_then(|cidr| cidr.parse().ok()),
        }
    })
}

fn secret_grant() -> impl Strategy<Value = SecretGrant> {
    let place = (0..5_u8, option::of(1..=u16::MAX), option::of(select(vec!["{value}", "token {value}!"])));
    (formed("[a-z0-9][a-z0-9-]{0,9}"), formed("[a-z]{1,9}\\.[a-z]{2,5}"), place).prop_map(
        |(name, host, (kind, port, format))| SecretGrant {
            name,
            inject: Injection {
                host,
                port,
                header: (kind == 0).then(|| "X-Auth".parse().ok()).flatten(),
                query: (kind == 1).then(|| "key".to_owned()),
                format: format.filter(|_| kind < 2).map(str::to_owned),
                basic: (kind == 2).then(|| BasicInjection { username: "app".to_owned() }),
                sigv4: (kind == 3).then(|| Sigv4Injection { region: "eu".to_owned(), service: "s3".to_owned() }),
                oauth2: (kind == 4).then(|| Oauth2Injection {
                    token_url: "https://id.example/token".to_owned(),
                    client_id: "app".to_owned(),
                    scopes: vec!["read".to_owned()],
                }),
            },
        },
    )
}

fn distinct<T: PartialEq>(items: Vec<T>) -> Vec<T> {
    let mut kept = Vec::new();
    for item in items {
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    kept
}

prop_compose! {
    fn permissions()(
        network in vec(network_grant(), 0..5),
        secrets in vec(secret_grant(), 0..4),
        paths in btree_map("/data(/[a-z]{1,5}){0,2}", any::<bool>(), 0..4),
        tools in vec(formed("[a-z_]{1,9}\\*?|mcp:[a-z]{1,5}/[a-z*]{1,5}"), 0..4),
        models in vec(formed("[a-z]{1,5}-?[0-9*]{0,2}"), 0..3),
        agents in vec(formed("[a-z0-9][a-z0-9-]{0,30}"), 0..3),
    ) -> Permissions {
        let grant = |(path, write): (String, bool)| {
            let access = if write { FileAccess::Write } else { FileAccess::Read };
            Some(FilesystemGrant { path: path.parse().ok()?, access, volume: "v".parse().ok()? })
        };
        Permissions {
            network: distinct(network),
            filesystem: paths.into_iter().filter_map(grant).collect(),
            tools: distinct(tools),
            models: distinct(models),
            agents: distinct(agents),
            secrets: distinct(secrets),
        }
    }
}

prop_compose! {
    fn resources()(
        cpu in option::of(10..=256_000_u32),
        memory in option::of(4_096..=1_000_000_u64),
        disk in option::of(1_024..=1_000_000_u64),
        pids in option::of(1..=32_768_u32),
        timeout in option::of(100..=1_000_000_u64),
        idle_timeout in option::of(100..=1_000_000_u64),
        max_lifetime in option::of(1_000_000..=2_592_000_000_u64),
    ) -> Resources {
        Resources {
            cpu: cpu.map(Cpu::from_millis),
            memory: memory.map(|kibibytes| Memory::from_bytes(kibibytes << 10)),
            disk: disk.map(|kibibytes| Memory::from_bytes(kibibytes << 10)),
            pids,
            timeout: timeout.map(Duration::from_millis),
            idle_timeout: idle_timeout.map(Duration::from_millis),
            max_lifetime: max_lifetime.map(Duration::from_millis),
        }
    }
}

prop_compose! {
    fn limits()(
        budget_cents in option::of(0..=100_000_000_u64),
        tokens in option::of(0..=1_000_000_000_000_u64),
        tool_calls in option::of(0..=1_000_000_u32),
        depth in option::of(0..=32_u32),
        fan_out in option::of(0..=1_000_u32),
        pause in any::<bool>(),
    ) -> Limits {
        let on_exceeded = if pause { OnExceeded::Pause } else { OnExceeded::Stop };
        Limits { budget_cents, tokens, tool_calls, depth, fan_out, on_exceeded }
    }
}

/// Texts that YAML would take for something else, and texts with everything in them.
fn tricky() -> impl Strategy<Value = String> {
    let strange =
        ["", "no", "null", "~", "1", "true", "- a", "a: b", "# x", "\"", "'", "{a", "0x1f", "1e3", " ", "\\n", "é😀"];
    prop_oneof![select(strange.to_vec()).prop_map(str::to_owned), "[ -~\t\n]{0,12}"]
}

prop_compose! {
    fn manifest()(
        name in formed("[a-z0-9][a-z0-9-]{0,62}"),
        labels in btree_map(formed("[a-z]([a-z./-]{0,5}[a-z])?"), "[a-z: #'\"{}-]{0,9}", 0..3),
        command in vec(tricky(), 0..4),
        source in option::of(formed("(\\./)?[a-z]{1,5}(/[a-z.]{1,5}){0,2}|\\.")),
        isolation in select(vec![Isolation::Process, Isolation::Strongest]),
        http in any::<bool>(),
        host in any::<bool>(),
        env in btree_map(formed("[A-SV-Z_]{1,8}"), tricky(), 0..4),
        parts in (resources(), permissions(), limits()),
    ) -> Manifest {
        let (resources, permissions, limits) = parts;
        let command = std::iter::once("run".to_owned()).chain(command).collect();
        let runtime = Runtime {
            isolation,
            command: Some(command),
            image: None,
            source,
            root: host.then(|| "host".parse().ok()).flatten(),
            protocol: if http { Protocol::Http } else { Protocol::Stdio },
        };
        let labels: BTreeMap<LabelKey, String> = labels;
        let env: BTreeMap<VariableName, String> = env;
        let env = env.into_iter().filter(|(name, _)| name.as_str() != "HOME").collect();
        let spec = Spec { runtime, resources, permissions, limits, env, ..Spec::default() };
        Manifest { api_version: ApiVersion::V1, kind: ManifestKind::Agent, metadata: Metadata { name, labels }, spec }
    }
}

/// The value as block YAML, with quotes only around texts.
fn to_yaml(value: &Value, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                out.push_str(&format!("\n{pad}{}:", Value::from(key.as_str())));
                to_yaml(value, indent + 2, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                out.push_str(&format!("\n{pad}-"));
                to_yaml(item, indent + 2, out);
            }
        }
        other => out.push_str(&format!(" {other}")),
    }
}

/// A whole number, a text… of any shape, as a tree without places.
fn reread(value: &Value) -> Option<Value> {
    yaml::read(value.to_string().as_bytes()).ok().map(|tree| tree.to_value())
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e15..1e15_f64).prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::hash_map("\\PC{0,8}", inner, 0..6).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

/// Whether every problem lies in the text.
fn inside(text: &[u8], problems: &[ManifestProblem]) -> bool {
    let lines = String::from_utf8_lossy(text).split(['\n', '\r']).count();
    !problems.is_empty()
        && problems.len() <= PROBLEMS_MAX + 1
        && problems.iter().all(|problem| problem.line >= 1 && problem.column >= 1 && problem.line <= lines + 1)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_valid_manifest_reads_back_from_json_and_yaml(manifest in manifest()) {
        let value = serde_json::to_value(&manifest).unwrap();
        let mut yaml = String::new();
        to_yaml(&value, 0, &mut yaml);
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap(), yaml] {
            match parse(text.as_bytes()) {
                Ok(parsed) => prop_assert_eq!(&parsed.manifest, &manifest, "{}", text),
                Err(problems) => prop_assert!(false, "{}\n{}", super::lines(&problems), text),
            }
        }
    }

    #[test]
    fn any_json_reads_as_the_same_value(value in any_json()) {
        let hidden = value.to_string().contains(['\u{feff}', '\u{202e}']);
        prop_assert!(hidden || reread(&value) == Some(value.clone()), "{} {:?}", value, reread(&value));
    }

    #[test]
    fn random_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..300)) {
        if let Err(problems) = parse(&bytes) {
            prop_assert!(inside(&bytes, &problems));
        }
    }

    #[test]
    fn a_mutilated_manifest_is_read_or_refused(
        cuts in vec((any::<prop::sample::Index>(), 0..4_u8, select(b"[]{}:,-\"'&*!|>%@#\t\n ?x0".to_vec())), 1..8),
    ) {
        let mut bytes = FULL.as_bytes().to_vec();
        for (index, kind, byte) in cuts {
            let at = index.index(bytes.len());
            match kind {
                0 => bytes.insert(at, byte),
                1 if bytes.len() > 1 => drop(bytes.remove(at)),
                2 => bytes.truncate(at.max(1)),
                _ => bytes[at] = byte,
            }
        }
        if let Err(problems) = parse(&bytes) {
            prop_assert!(inside(&bytes, &problems));
        }
    }

    /// Whatever the schema lets pass, the types take, and the other way round.
    #[test]
    fn schema_and_types_agree(manifest in manifest(), at in any::<prop::sample::Index>(), new in any_json()) {
        let mut value = serde_json::to_value(&manifest).unwrap();
        let mut places = Vec::new();
        collect(&value, String::new(), &mut places);
        let pointer = &places[at.index(places.len())];
        *value.pointer_mut(pointer).unwrap() = new;
        let Ok(tree) = yaml::read(value.to_string().as_bytes()) else { return Ok(()) };
        let by_schema = walk(&tree, &schema());
        let by_type = serde_json::from_value::<Manifest>(value.clone());
        // The schema has bounds that the types do not have, and takes no list for a struct.
        let kept = by_type.as_ref().is_ok_and(|manifest| serde_json::to_value(manifest).is_ok_and(|kept| kept == value));
        let only_bounds = by_schema.iter().all(|problem| {
            [" more than ", " between ", " at least ", " must not be empty"].iter().any(|part| problem.message.contains(part))
        });
        prop_assert!(!by_schema.is_empty() || by_type.is_ok(), "{} {:?}", pointer, by_type);
        prop_assert!(!kept || by_schema.is_empty() || only_bounds, "{} {}", pointer, super::lines(&by_schema));
    }
}

/// The pointers of everything in a value.
fn collect(value: &Value, pointer: String, places: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, below) in fields {
                collect(below, format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")), places);
            }
        }
        Value::Array(items) => {
            for (index, below) in items.iter().enumerate() {
                collect(below, format!("{pointer}/{index}"), places);
            }
        }
        _ => {}
    }
    places.push(pointer);
}

#[test]
fn a_pointer_leads_where_it_says() {
    let tree = yaml::read(b"a/b: {~x: [1, {c: d}]}").unwrap();
    let found = tree.at("/a~1b/~0x/1/c").map(|node| (node.content.clone(), node.place));
    assert_eq!(found, Some((Content::Text("d".to_owned()), Place { line: 1, column: 19 })));
    assert!(tree.at("/a").is_none() && Node::at(&tree, "/a~1b/~0x/2").is_none());
}
