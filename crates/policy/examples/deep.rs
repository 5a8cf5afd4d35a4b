//! Temporary.
use aegis_model::decision::PolicyLayer;
use aegis_policy::*;
fn main() {
    let shape = std::env::args().nth(1).unwrap();
    let n: usize = std::env::args().nth(2).unwrap().parse().unwrap();
    let cond = match shape.as_str() {
        "paren" => format!("{}true{}", "(".repeat(n), ")".repeat(n)),
        "not" => format!("{}true{}", "!(".repeat(n), ")".repeat(n)),
        "set" => format!("{}true{}", "[".repeat(n), "]".repeat(n)),
        "if" => format!("{}true{}", "if true then true else ".repeat(n), ""),
        "and" => vec!["resource.name == \"a\""; n].join(" && "),
        "or" => vec!["resource.name == \"a\""; n].join(" || "),
        "plus" => format!("{} == 1", vec!["1"; n].join(" + ")),
        "dot" => format!("principal{}", ".tenant".repeat(n)),
        "call" => format!("principal{}", ".contains(1)".repeat(n)),
        "list" => format!("[{}].contains(resource.name)", vec!["\"a\""; n].join(", ")),
        "when" => format!("true }} {}", "when { resource.name == \"a\" } ".repeat(n).trim_end_matches("} ").to_owned()),
        "rec" => format!("{}true{}", "{a:".repeat(n), "}".repeat(n)),
        "bang" => format!("{}true", "!".repeat(n)),
        "minus" => format!("{}1 == 1", "-".repeat(n)),
        _ => panic!(),
    };
    let text = format!("permit (principal, action, resource) when {{ {cond} }};");
    let t = std::time::Instant::now();
    let r = std::thread::Builder::new().stack_size(2 << 20).spawn(move || PolicySet::compile(PolicyLayer::Tenant, &[PolicySource { id: "x".into(), text }]).map(|s| s.len()).map_err(|p| p.first().map(|p| p.message.chars().take(100).collect::<String>()))).unwrap().join();
    println!("{shape} {n}: {r:?} {:?}", t.elapsed());
}
