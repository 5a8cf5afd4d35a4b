//! Bundles: the good ones are kept, the hostile ones are refused by name and leave nothing.

use bytes::Bytes;
use it::{Answer, TestServer};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use tar::{Builder, EntryType, Header};

const MANIFEST: &str = r#"{"apiVersion":"aegis/v1","kind":"Agent","metadata":{"name":"triage"},"spec":{"runtime":{"isolation":"process","command":["python3","agent.py"],"source":"./src"}}}"#;

fn send(server: &TestServer, bundle: &[u8]) -> Answer {
    let mut body = Vec::new();
    for (name, bytes) in [("manifest", MANIFEST.as_bytes()), ("bundle", bundle)] {
        body.extend(
            format!("--edge\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"f\"\r\n\r\n").bytes(),
        );
        body.extend(bytes);
        body.extend(b"\r\n");
    }
    body.extend(b"--edge--\r\n");
    let headers = [("x-api-key", server.admin.as_str()), ("content-type", "multipart/form-data; boundary=edge")];
    server.call_bytes("POST", "/api/v1/agents", &headers, &body)
}

fn tar(fill: impl FnOnce(&mut Builder<Vec<u8>>)) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    fill(&mut builder);
    builder.into_inner().unwrap()
}

fn packed(tar: &[u8]) -> Bytes {
    compress_to_vec(tar, CompressionLevel::Fastest).into()
}

/// A header with a name that the library itself would refuse to write.
fn header(name: &str, kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_ustar();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    header
}

fn file(name: &str) -> Vec<u8> {
    tar(|builder| builder.append(&header(name, EntryType::Regular, 5), &b"hello"[..]).unwrap())
}

fn link(kind: EntryType, name: &str, target: &str) -> Vec<u8> {
    tar(|builder| {
        let mut header = header(name, kind, 0);
        header.as_mut_bytes()[157..157 + target.len()].copy_from_slice(target.as_bytes());
        header.set_cksum();
        builder.append(&header, &b""[..]).unwrap();
    })
}

/// Bytes that no compressor makes smaller.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn a_bundle_may_be_larger_than_other_bodies() {
    let server = TestServer::start();
    let code = noise(5_000_000);
    let large = tar(|builder| {
        builder.append(&header("agent.py", EntryType::Regular, code.len() as u64), code.as_slice()).unwrap();
    });
    let made = send(&server, &packed(&large));
    assert_eq!(made.status, 201, "{}", made.text);
}

#[test]
fn a_good_bundle_is_kept_whole() {
    let server = TestServer::start();
    let bundle = packed(&file("agent.py"));
    let made = send(&server, &bundle);
    assert_eq!(made.status, 201, "{}", made.text);
    let info = &made.json()["bundle"];
    assert_eq!((info["files"].as_u64(), info["unpacked_bytes"].as_u64()), (Some(1), Some(2048)), "{info}");
    let digest = info["digest"].as_str().unwrap();
    let (folder, rest) = digest.split_at(2);
    assert_eq!(std::fs::read(server.data().join("objects").join(folder).join(rest)).unwrap(), bundle);
}

#[test]
fn hostile_bundles_are_refused_and_nothing_is_stored() {
    let server = TestServer::start();
    let bomb = tar(|builder| {
        let size = 300 * 1024 * 1024;
        builder
            .append(&header("zeros", EntryType::Regular, size), std::io::Read::take(std::io::repeat(0), size))
            .unwrap();
    });
    let hostile: Vec<(&str, Bytes)> = vec![
        ("not zstd", Bytes::from_static(b"hello")),
        ("empty", Bytes::new()),
        ("cut off", packed(&file("agent.py")).slice(..20)),
        ("climbing", packed(&file("../agent.py"))),
        ("climbing inside", packed(&file("a/../../agent.py"))),
        ("absolute", packed(&file("/etc/passwd"))),
        ("symlink out", packed(&link(EntryType::Symlink, "a", "../../etc"))),
        ("symlink absolute", packed(&link(EntryType::Symlink, "a", "/etc/passwd"))),
        ("hardlink out", packed(&link(EntryType::Link, "a", "../b"))),
        ("device", packed(&link(EntryType::Char, "null", ""))),
        ("block device", packed(&link(EntryType::Block, "disk", ""))),
        ("fifo", packed(&link(EntryType::Fifo, "pipe", ""))),
        ("bomb", packed(&bomb)),
    ];
    for (what, bundle) in hostile {
        let answer = send(&server, &bundle);
        assert_eq!((answer.status, answer.code().as_str()), (422, "ERR_BUNDLE_INVALID"), "{what}: {}", answer.text);
    }
    assert_eq!(server.admin("GET", "/api/v1/agents/triage", "").status, 404);
    assert_eq!(server.admin("GET", "/api/v1/ledger/checkpoint", "").json()["size"], 1, "only the first start");
    let kept = std::fs::read_dir(server.data().join("objects")).unwrap();
    let objects: usize =
        kept.filter_map(|entry| std::fs::read_dir(entry.unwrap().path()).ok()).map(Iterator::count).sum();
    assert_eq!(objects, 0);
}

#[test]
fn code_that_is_named_must_come_along() {
    let server = TestServer::start();
    let answer = server.admin("POST", "/api/v1/agents", MANIFEST);
    assert_eq!((answer.status, answer.code().as_str()), (422, "ERR_BUNDLE_INVALID"));
}

#[test]
fn a_body_of_odd_parts_is_refused() {
    let server = TestServer::start();
    let headers = [("x-api-key", server.admin.as_str()), ("content-type", "multipart/form-data; boundary=edge")];
    for (body, code) in [
        ("--edge\r\ncontent-disposition: form-data; name=\"other\"\r\n\r\nx\r\n--edge--\r\n", "ERR_VALIDATION"),
        ("--edge--\r\n", "ERR_VALIDATION"),
        ("garbage", "ERR_MALFORMED"),
        ("--edge\r\ncontent-disposition: form-data; name=\"manifest\"\r\n\r\nx", "ERR_MALFORMED"),
    ] {
        assert_eq!(server.call("POST", "/api/v1/agents", &headers, body).code(), code, "{body:?}");
    }
}
