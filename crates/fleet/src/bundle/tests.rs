//! Bundles as they should be, and as somebody who wants out would build them.

use std::fmt::Write as _;

use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use tar::Header;

use super::*;

/// One header with its data, padded to whole blocks. Fields go in as they are.
fn member(kind: u8, name: &[u8], link: &[u8], mode: u32, data: &[u8]) -> Vec<u8> {
    let mut header = Header::new_ustar();
    header.as_old_mut().name[..name.len().min(100)].copy_from_slice(&name[..name.len().min(100)]);
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link);
    header.as_old_mut().linkflag = [kind];
    header.set_mode(mode);
    header.set_size(data.len() as u64);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(data);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn file(name: &str) -> Vec<u8> {
    member(b'0', name.as_bytes(), b"", 0o644, b"print(1)\n")
}

fn link(name: &str, target: &str) -> Vec<u8> {
    member(b'2', name.as_bytes(), target.as_bytes(), 0o777, b"")
}

fn directory(name: &str) -> Vec<u8> {
    member(b'5', name.as_bytes(), b"", 0o755, b"")
}

/// A local extension header.
fn pax(pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut data = String::new();
    for (key, value) in pairs {
        let rest = key.len() + value.len() + 3;
        let length = (1..4).map(|digits| rest + digits).find(|total| total.to_string().len() + rest == *total).unwrap();
        writeln!(data, "{length} {key}={value}").unwrap();
    }
    member(b'x', b"pax", b"", 0o644, data.as_bytes())
}

fn archive(members: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = members.concat();
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

fn bundle(members: &[Vec<u8>]) -> Vec<u8> {
    compress_to_vec(archive(members).as_slice(), CompressionLevel::Fastest)
}

fn judge(members: &[Vec<u8>]) -> Result<BundleReport, BundleError> {
    inspect(&bundle(members), &BundleLimits::default())
}

/// The bundle is refused because of the entry of that name.
fn refused(members: &[Vec<u8>], name: &str, problem: EntryProblem) {
    let expected = BundleError::Entry { name: name.to_owned(), problem };
    assert_eq!(judge(members), Err(expected));
}

/// The bundle is acceptable and has that many files.
fn taken(members: &[Vec<u8>], files: u64) {
    assert_eq!(judge(members).map(|report| report.files), Ok(files));
}

/// Made by GNU tar and zstd: `./`, `./agent.py`, `./lib/`, `./lib/a.py` and a link to it.
const REAL: &str = include_str!("real.hex");

fn real() -> Vec<u8> {
    let digits: String = REAL.split_whitespace().collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn a_bundle_made_by_common_tools_is_taken() {
    let report = inspect(&real(), &BundleLimits::default());
    assert_eq!(report, Ok(BundleReport { unpacked_bytes: 10_240, files: 3 }));
}

#[test]
fn plain_bundles_are_taken() {
    taken(&[file("agent.py")], 1);
    taken(&[directory("./"), file("./agent.py"), directory("lib/"), file("lib/a.py")], 2);
    taken(&[file("lib/a.py"), directory("lib/")], 1);
    taken(&[file("a"), link("b", "a"), link("lib/c", "../a"), link("d", "nowhere"), link("e", "lib")], 5);
    taken(&[file("a"), member(b'1', b"b", b"a", 0o644, b"")], 2);
    taken(&[member(b'g', b"pax_global_header", b"", 0o644, b"13 comment=x\n"), file("a")], 1);
    let long = "d/".repeat(20) + &"x".repeat(200);
    taken(&[pax(&[("path", &long), ("mtime", "1.5")]), file("short")], 1);
    taken(&[member(b'L', b"././@LongLink", b"", 0, format!("{long}\0").as_bytes()), file("short")], 1);
    taken(&[pax(&[("size", "9")]), file("a")], 1);
}

#[test]
fn paths_that_lead_out_are_refused() {
    refused(&[file("../a")], "../a", EntryProblem::Upwards);
    refused(&[file("a/../../b")], "a/../../b", EntryProblem::Upwards);
    refused(&[file("./../b")], "./../b", EntryProblem::Upwards);
    refused(&[directory("..")], "..", EntryProblem::Upwards);
    refused(&[file("/etc/passwd")], "/etc/passwd", EntryProblem::Absolute);
    refused(&[file("//etc/passwd")], "//etc/passwd", EntryProblem::Absolute);
    refused(&[file(".//etc/passwd")], ".//etc/passwd", EntryProblem::EmptyPart);
    refused(&[file("a\\..\\b")], "a\\\\..\\\\b", EntryProblem::Unreadable);
    refused(&[file("a\nb")], "a\\nb", EntryProblem::Unreadable);
    refused(&[file("a\u{1b}[31m")], "a\\u{1b}[31m", EntryProblem::Unreadable);
    refused(&[file("a\u{202e}b")], "a\\u{202e}b", EntryProblem::Unreadable);
    refused(&[member(b'0', b"a\xff", b"", 0o644, b"")], "a\u{fffd}", EntryProblem::Unreadable);
    refused(&[file("a//b")], "a//b", EntryProblem::EmptyPart);
    refused(&[file("a/./b")], "a/./b", EntryProblem::EmptyPart);
    refused(&[file("a/")], "a/", EntryProblem::EmptyPart);
    refused(&[file(".")], ".", EntryProblem::EmptyPart);
    refused(&[file("")], "", EntryProblem::EmptyPart);
    refused(&[file("lib/.wh.agent.py")], "lib/.wh.agent.py", EntryProblem::Whiteout);
    let deep = "d/".repeat(45) + "x";
    taken(&[file(&deep)], 1);
    let parts = "a/".repeat(64) + "x";
    refused(&[pax(&[("path", &parts)]), file("a")], &format!("{}…", &parts[..120]), EntryProblem::TooLong);
    let part = "x".repeat(256);
    refused(&[pax(&[("path", &part)]), file("a")], &format!("{}…", &part[..120]), EntryProblem::TooLong);
}

#[test]
fn the_name_of_an_extension_header_is_judged_and_not_the_harmless_one() {
    refused(&[pax(&[("path", "../out")]), file("harmless")], "../out", EntryProblem::Upwards);
    refused(&[pax(&[("linkpath", "/etc")]), link("harmless", "a")], "harmless", EntryProblem::LinkAbsolute);
    let long = member(b'L', b"././@LongLink", b"", 0, b"/etc/passwd\0");
    refused(&[long.clone(), file("harmless")], "/etc/passwd", EntryProblem::Absolute);
    let link_name = member(b'K', b"././@LongLink", b"", 0, b"../../etc\0");
    refused(&[link_name, link("harmless", "a")], "harmless", EntryProblem::LinkOut);
    refused(&[long, pax(&[("path", "b")]), file("harmless")], "pax", EntryProblem::NamedTwice);
    refused(&[pax(&[("path", "a"), ("path", "b")]), file("harmless")], "pax", EntryProblem::NamedTwice);
    refused(&[member(b'L', b"long", b"", 0, b"a\0b\0"), file("a")], "a\\0b", EntryProblem::Unreadable);
    refused(&[pax(&[("GNU.sparse.name", "x")]), file("a")], "pax", EntryProblem::Sparse);
    refused(&[pax(&[("SCHILY.xattr.security.capability", "x")]), file("a")], "pax", EntryProblem::Attributes);
    refused(&[pax(&[("size", "1")]), file("a")], "a", EntryProblem::SizeDoubtful);
    refused(&[pax(&[("size", "+9")]), file("a")], "pax", EntryProblem::SizeDoubtful);
    let global = member(b'g', b"global", b"", 0o644, b"10 path=x\n");
    refused(&[global, file("a")], "global", EntryProblem::Attributes);
    let hidden = member(b'x', b"pax", b"", 0o644, b"9 path=b\n\n10 path=cc\n");
    refused(&[hidden, file("a")], "pax", EntryProblem::Attributes);
    let large = member(b'x', b"pax", b"", 0o644, &[b'x'; 70_000]);
    refused(&[large, file("a")], "pax", EntryProblem::Attributes);
    let damaged = |members: &[Vec<u8>]| assert!(matches!(judge(members), Err(BundleError::Damaged { .. })));
    damaged(&[file("a"), pax(&[("path", "b")])]);
    damaged(&[member(b'x', b"pax", b"", 0o644, b"99 path=b\n"), file("a")]);
}

#[test]
fn links_that_lead_out_are_refused() {
    refused(&[link("a", "/etc/passwd")], "a", EntryProblem::LinkAbsolute);
    refused(&[link("a", "../x")], "a", EntryProblem::LinkOut);
    refused(&[link("lib/a", "../../x")], "lib/a", EntryProblem::LinkOut);
    refused(&[link("a", "..")], "a", EntryProblem::LinkOut);
    refused(&[link("a", "b/../../x")], "a", EntryProblem::LinkWinding);
    refused(&[link("a", "")], "a", EntryProblem::LinkEmpty);
    refused(&[link("a", "b\\c")], "a", EntryProblem::Unreadable);
    refused(&[member(b'1', b"a", b"/etc/passwd", 0o644, b"")], "a", EntryProblem::Absolute);
    refused(&[member(b'1', b"a", b"../b", 0o644, b"")], "a", EntryProblem::Upwards);
    refused(&[member(b'1', b"a", b"b", 0o644, b"")], "a", EntryProblem::HardLinkUnknown);
    refused(&[link("l", "x"), member(b'1', b"a", b"l", 0o644, b"")], "a", EntryProblem::HardLinkUnknown);
    refused(&[directory("d"), member(b'1', b"a", b"d", 0o644, b"")], "a", EntryProblem::HardLinkUnknown);
}

#[test]
fn chains_of_links_that_lead_out_are_refused() {
    let up = link("p/q/r/up", "../../..");
    taken(std::slice::from_ref(&up), 1);
    refused(&[up.clone(), link("out", "p/q/r/up/../etc")], "out", EntryProblem::LinkWinding);
    refused(&[up, file("p/q/r/up/etc")], "p/q/r/up/etc", EntryProblem::BelowFile);
    refused(&[link("d", "."), file("d/x")], "d/x", EntryProblem::BelowFile);
    refused(&[file("d/x"), link("d", ".")], "d/x", EntryProblem::BelowFile);
    refused(&[file("d"), file("d/x")], "d/x", EntryProblem::BelowFile);
    refused(&[link("D", "."), file("d/x")], "d/x", EntryProblem::BelowFile);
    refused(&[link("d", "."), link("d/e", "../..")], "d/e", EntryProblem::LinkOut);
}

#[test]
fn what_is_there_twice_is_refused() {
    refused(&[file("a"), file("a")], "a", EntryProblem::Repeated);
    refused(&[file("a"), file("./a")], "./a", EntryProblem::Repeated);
    refused(&[file("a"), link("a", "b")], "a", EntryProblem::Repeated);
    refused(&[file("a"), file("A")], "A", EntryProblem::CaseClash);
    refused(&[directory("Lib"), file("lib/x")], "lib/x", EntryProblem::CaseClash);
}

#[test]
fn only_plain_files_directories_and_links_are_taken() {
    for kind in [b'3', b'4', b'6', b'7', b'V', b'M', b'A', b'Z', 0xFF] {
        refused(&[member(kind, b"dev", b"", 0o644, b"")], "dev", EntryProblem::SpecialFile);
    }
    refused(&[member(b'S', b"holes", b"", 0o644, b"")], "holes", EntryProblem::Sparse);
    for mode in [0o4755, 0o2755, 0o1755, 0o7777] {
        refused(&[member(b'0', b"tool", b"", mode, b"x")], "tool", EntryProblem::SpecialMode);
    }
    refused(&[member(b'5', b"d", b"", 0o755, b"x")], "d", EntryProblem::UnexpectedData);
    refused(&[member(b'2', b"l", b"a", 0o777, b"x")], "l", EntryProblem::UnexpectedData);
    refused(&[file("a"), member(b'1', b"l", b"a", 0o777, b"x")], "l", EntryProblem::UnexpectedData);
    let mut old = file("old");
    old[257..265].fill(0);
    let sum: u32 = old[..512]
        .iter()
        .enumerate()
        .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) })
        .sum();
    old[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    refused(&[old], "old", EntryProblem::Attributes);
}

#[test]
fn bombs_are_refused_before_they_go_off() {
    let zeros = vec![0; 17 << 20];
    let limits = BundleLimits::default();
    let bomb = bundle(&[member(b'0', b"zeros", b"", 0o644, &zeros)]);
    assert!(bomb.len() < 64 << 10, "{}", bomb.len());
    assert_eq!(inspect(&bomb, &limits), Err(BundleError::RatioTooLarge { ratio_max: 200 }));
    let wide = BundleLimits { ratio_max: u64::MAX, ..limits };
    assert_eq!(inspect(&bomb, &wide).map(|report| report.files), Ok(1));
    let low = BundleLimits { unpacked_bytes_max: 1 << 20, ..limits };
    assert_eq!(inspect(&bomb, &low), Err(BundleError::UnpacksTooLarge { max_bytes: 1 << 20 }));
    let few = BundleLimits { entries_max: 2, ..limits };
    let three = bundle(&[file("a"), file("b"), file("c")]);
    assert_eq!(inspect(&three, &few), Err(BundleError::TooManyEntries { entries_max: 2 }));
    let headers: Vec<Vec<u8>> = (0..10).map(|_| member(b'g', b"g", b"", 0o644, b"13 comment=x\n")).collect();
    assert_eq!(inspect(&bundle(&headers), &few), Err(BundleError::TooManyEntries { entries_max: 2 }));
    let small = BundleLimits { bundle_bytes_max: 10, ..limits };
    assert!(matches!(inspect(&three, &small), Err(BundleError::TooLarge { max_bytes: 10, .. })));
}

#[test]
fn a_window_that_needs_too_much_memory_is_refused() {
    // Magic, a descriptor without single segment, and a window of 2^(10+21) bytes.
    let frame = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 21 << 3, 0x01, 0x00, 0x00];
    let expected = BundleError::WindowTooLarge { window_bytes: 1 << 31, max_bytes: 8 << 20 };
    assert_eq!(inspect(&frame, &BundleLimits::default()), Err(expected));
    // A single segment whose content is said to have 2^40 bytes.
    let frame = [0x28, 0xB5, 0x2F, 0xFD, 0xE0, 0, 0, 0, 0, 0, 1, 0, 0, 0x01, 0x00, 0x00];
    assert!(inspect(&frame, &BundleLimits::default()).is_err());
}

#[test]
fn what_follows_or_is_missing_is_noticed() {
    let damaged = |bytes: &[u8]| match inspect(bytes, &BundleLimits::default()) {
        Err(BundleError::Damaged { reason }) => reason,
        other => panic!("{other:?}"),
    };
    let good = bundle(&[file("a")]);
    damaged(b"");
    damaged(b"PK\x03\x04 not a zstd stream");
    for length in 0..good.len() {
        damaged(&good[..length]);
    }
    assert!(damaged(&[good.clone(), b"x".to_vec()].concat()).contains("after the end of the compressed stream"));
    assert!(damaged(&[good.clone(), good].concat()).contains("after the end of the compressed stream"));
    let pack = |bytes: &[u8]| compress_to_vec(bytes, CompressionLevel::Fastest);
    assert!(damaged(&pack(&file("a"))).contains("no end mark"));
    assert!(damaged(&pack(&[archive(&[file("a")]), file("b")].concat())).contains("after the end of the archive"));
    assert!(
        damaged(&pack(&[archive(&[file("a")]), vec![0; 2 << 20]].concat())).contains("after the end of the archive")
    );
    damaged(&pack(&archive(&[file("a")])[..600]));
    damaged(&pack(b"not an archive, but long enough to be looked at".repeat(20).as_slice()));
    assert_eq!(inspect(&pack(&[0; 10_240]), &BundleLimits::default()), Err(BundleError::Empty));
    assert_eq!(judge(&[directory("d")]), Err(BundleError::Empty));
    let mut real = real();
    let last = real.len() - 1;
    real[last] ^= 1;
    assert!(damaged(&real).contains("checksum"));
}

#[test]
fn a_fault_names_the_entry() {
    let fault = Fault::from(judge(&[file("../a\n")]).unwrap_err());
    assert_eq!(fault.code(), Code::BundleInvalid);
    assert_eq!(fault.details().get("entry"), Some(&"../a\\n".into()));
    assert_eq!(fault.details().get("pointer"), Some(&"/bundle".into()));
    assert!(!fault.message().contains('\n'), "{}", fault.message());
}
