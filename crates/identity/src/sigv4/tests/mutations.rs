//! Whoever changes anything of a signed request is refused.

use super::requests::{Key, Request, invocation, now, options};
use crate::sigv4::BodyHeader;

/// Other bytes for one byte: near ones, other cases, separators, and what is decoded or
/// folded specially. The same byte again is left out.
fn others(byte: u8) -> impl Iterator<Item = u8> {
    let near = [byte ^ 1, byte ^ 0x20, byte.wrapping_add(1), byte.wrapping_sub(1)];
    near.into_iter().chain(*b"0aZ/.%+&=; ,:-").filter(move |other| *other != byte)
}

/// Every text that differs from this one in one byte, lacks one, or has one more.
fn variants(text: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for place in 0..text.len() {
        for other in others(text[place]) {
            let mut changed = text.to_vec();
            changed[place] = other;
            all.push(changed);
        }
        let mut shorter = text.to_vec();
        shorter.remove(place);
        all.push(shorter);
        let mut longer = text.to_vec();
        longer.insert(place, b'x');
        all.push(longer);
    }
    all
}

/// Changes one part in every way; `same` says which changes mean the same as before.
fn check(request: &Request, part: impl Fn(&mut Request) -> PartRef<'_>, same: impl Fn(&[u8], &[u8]) -> bool) -> usize {
    assert_eq!(request.verify(&options(), now()), Ok(()), "as it was signed");
    let mut work = request.clone();
    let original = part(&mut work).get();
    let mut count = 0;
    for changed in variants(&original) {
        let mut altered = request.clone();
        if same(&original, &changed) || !part(&mut altered).set(&changed) {
            continue;
        }
        let shown = String::from_utf8_lossy(&changed).into_owned();
        assert!(altered.verify(&options(), now()).is_err(), "accepted `{shown}`");
        count += 1;
    }
    count
}

/// A part of a request: text or bytes.
enum PartRef<'r> {
    Text(&'r mut String),
    Bytes(&'r mut Vec<u8>),
}

impl PartRef<'_> {
    fn get(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.as_bytes().to_vec(),
            Self::Bytes(bytes) => (*bytes).clone(),
        }
    }

    /// Whether the part can hold that.
    fn set(&mut self, changed: &[u8]) -> bool {
        match self {
            Self::Text(text) => match String::from_utf8(changed.to_vec()) {
                Ok(changed) => **text = changed,
                Err(_) => return false,
            },
            Self::Bytes(bytes) => **bytes = changed.to_vec(),
        }
        true
    }
}

fn never(_: &[u8], _: &[u8]) -> bool {
    false
}

/// What SigV4 reads alike: spaces around a value, and how many stand in a row.
fn same_value(one: &[u8], other: &[u8]) -> bool {
    let words = |value: &[u8]| {
        let text = String::from_utf8_lossy(value).into_owned();
        text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    };
    words(one) == words(other)
}

/// What a query is read as: pairs in any order.
fn same_query(one: &[u8], other: &[u8]) -> bool {
    let pairs = |query: &[u8]| {
        let text = String::from_utf8_lossy(query).into_owned();
        crate::sigv4::query::Query::parse(&text).map(|query| query.canonical()).ok()
    };
    pairs(one).is_some() && pairs(one) == pairs(other)
}

fn signed() -> Request {
    let key = Key { session_token: Some("to/ken+=".to_owned()), ..Key::sample() };
    invocation().signed(&key)
}

#[test]
fn every_change_of_a_signed_request_is_noticed() {
    let request = signed();
    let mut count = check(&request, |request| PartRef::Text(&mut request.method), never);
    count += check(&request, |request| PartRef::Text(&mut request.path), never);
    count += check(&request, |request| PartRef::Text(&mut request.query), same_query);
    count += check(&request, |request| PartRef::Bytes(&mut request.body), never);
    for name in ["host", "content-type", "x-amz-target", "x-amz-date", "x-amz-security-token"] {
        count += check(&request, |request| PartRef::Bytes(request.header(name)), same_value);
    }
    assert!(count > 3_000, "{count} changes");
}

#[test]
fn every_change_of_the_authorization_header_is_noticed() {
    // The parts may come with other spaces between them; nothing of what they say changes.
    let without_spaces = |value: &[u8]| -> Vec<u8> { value.iter().copied().filter(|byte| *byte != b' ').collect() };
    let same = |one: &[u8], other: &[u8]| without_spaces(one) == without_spaces(other);
    // Another id leads to another key: what is looked up is not part of the signature.
    let id = "Credential=AKIDEXAMPLE/";
    let same = |one: &[u8], other: &[u8]| {
        let rest = |value: &[u8]| {
            let text = String::from_utf8_lossy(value).into_owned();
            text.split_once('/')
                .map(|(before, rest)| (before.starts_with("AWS4-HMAC-SHA256 Credential="), rest.to_owned()))
        };
        assert!(String::from_utf8_lossy(one).contains(id));
        same(one, other) || (rest(one) == rest(other) && rest(other).is_some_and(|(scheme, _)| scheme))
    };
    let count = check(&signed(), |request| PartRef::Bytes(request.header("authorization")), same);
    assert!(count > 3_000, "{count} changes");
}

#[test]
fn every_change_of_a_presigned_request_is_noticed() {
    let key = Key { session_token: Some("to/ken+=".to_owned()), ..Key::sample() };
    let target = "/ws?x=a%20b";
    let request = Request::new("GET", target, &[("host", "aegis.example")], b"").presigned(&key, 300);
    // Another id leads to another key, as above.
    let same = |one: &[u8], other: &[u8]| {
        let fixed = |query: &[u8]| {
            let text = String::from_utf8_lossy(query).into_owned();
            let (before, rest) = text.split_once("X-Amz-Credential=")?;
            let (_, after) = rest.split_once("%2F")?;
            Some(format!("{before}X-Amz-Credential=A%2F{after}").into_bytes())
        };
        same_query(one, other)
            || matches!((fixed(one), fixed(other)), (Some(one), Some(other)) if same_query(&one, &other))
    };
    let mut count = check(&request, |request| PartRef::Text(&mut request.query), same);
    count += check(&request, |request| PartRef::Text(&mut request.method), never);
    count += check(&request, |request| PartRef::Text(&mut request.path), never);
    count += check(&request, |request| PartRef::Bytes(request.header("host")), same_value);
    assert!(count > 3_000, "{count} changes");
    let with_body = Request { body: b"x".to_vec(), ..request };
    assert!(with_body.verify(&options(), now()).is_err());
}

#[test]
fn headers_cannot_be_added_taken_away_renamed_or_repeated() {
    let request = signed();
    for name in ["host", "content-type", "x-amz-target", "x-amz-date", "x-amz-security-token", "authorization"] {
        assert!(request.clone().without(name).verify(&options(), now()).is_err(), "without {name}");
        let value = String::from_utf8(request.clone().header(name).clone()).unwrap();
        assert!(request.clone().with(name, &value).verify(&options(), now()).is_err(), "{name} twice");
        let renamed = request.clone().without(name).with(&format!("{name}x"), &value);
        assert!(renamed.verify(&options(), now()).is_err(), "{name}x");
    }
    for name in ["x-amz-extra", "X-Amzn-Bedrock-AgentCore-Runtime-User-Id", "x-amz-content-sha256"] {
        assert!(request.clone().with(name, "a").verify(&options(), now()).is_err(), "{name}");
    }
    for name in ["x-amzn-trace-id", "user-agent", "accept"] {
        assert_eq!(request.clone().with(name, "a").verify(&options(), now()), Ok(()), "{name} is left open by SigV4");
    }
}

#[test]
fn a_stated_digest_has_to_be_the_bodys() {
    let key = Key { body_header: BodyHeader::Stated, ..Key::sample() };
    let request = invocation().signed(&key);
    check(&request, |request| PartRef::Bytes(&mut request.body), never);
    check(&request, |request| PartRef::Bytes(request.header("x-amz-content-sha256")), same_value);
}
