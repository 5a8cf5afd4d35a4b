//! Attacks by what a process is given on its way: open descriptors, and neighbours that it can see.

use super::opening::open;
use crate::attack::Area::Files;
use crate::attack::{Attack, Outcome};
use crate::errno::Errno;
use crate::process;
use crate::sys::call;
use crate::walk::summary;
use std::fs::Metadata;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

pub const ATTACKS: &[Attack] = &[
    Attack::new(Files, "inherited-descriptors", "finds a descriptor it was not meant to have", inherited_descriptors),
    Attack::new(Files, "streams-lead-out", "gets out through its standard streams", streams_lead_out),
    Attack::new(Files, "foreign-processes", "sees processes that are not its own", foreign_processes),
];

/// What came through the execution of this program; what it opened itself is closed on execution.
pub fn inherited_descriptors() -> Outcome {
    let found: Vec<String> = (3..4096)
        .filter(|number| call!(SYS_fcntl, *number, libc::F_GETFD).is_ok_and(|flags| flags & 1 == 0))
        .map(|number| {
            let target = std::fs::read_link(format!("/proc/self/fd/{number}")).unwrap_or_default();
            format!("{number} -> {}", target.display())
        })
        .collect();
    match found.is_empty() {
        true => Outcome::held("none but the standard streams"),
        false => Outcome::broken(summary(&found)),
    }
}

fn streams_lead_out() -> Outcome {
    Outcome::all([0, 1, 2].map(|stream| {
        let path = format!("/proc/self/fd/{stream}");
        match std::fs::metadata(&path) {
            Ok(metadata) => leads_out(stream, &path, &metadata),
            Err(error) => Outcome::held(format!("stream {stream}: {}", Errno::from(error))),
        }
    }))
}

fn leads_out(stream: i32, path: &str, metadata: &Metadata) -> Outcome {
    let kind = metadata.file_type();
    if kind.is_dir() || kind.is_block_device() {
        return Outcome::broken(format!("stream {stream} is a directory or a disk"));
    }
    if kind.is_socket() {
        return socket_leads_out(stream);
    }
    if kind.is_file() && stream == 0 && open(Path::new(path), true).is_ok() {
        return Outcome::broken("the input is a file that can be written");
    }
    Outcome::held("streams lead nowhere else")
}

/// A pair of sockets has no names; anything else was bound to a name, or reaches over a network.
fn socket_leads_out(stream: i32) -> Outcome {
    let mut name = [0_u8; 128];
    let mut length = 128_i32.to_ne_bytes();
    let named = call!(SYS_getpeername, stream, &mut name, &mut length);
    let family = u16::from_ne_bytes([name[0], name[1]]);
    match named {
        Ok(_) if i32::from(family) == libc::AF_UNIX && i32::from_ne_bytes(length) <= 2 => {
            Outcome::held("streams are a pair of sockets without a name")
        }
        Ok(_) => Outcome::broken(format!("stream {stream} is a socket of family {family} with a named peer")),
        Err(errno) => Outcome::held(format!("stream {stream}: {errno}")),
    }
}

fn foreign_processes() -> Outcome {
    let me = i32::try_from(std::process::id()).unwrap_or_default();
    let processes = process::visible();
    let foreign: Vec<String> = process::foreign(&processes, me).iter().map(ToString::to_string).collect();
    match foreign.is_empty() {
        true => Outcome::held(format!("{} processes, all of this box", processes.len())),
        false => Outcome::broken(format!("foreign processes: {}", summary(&foreign))),
    }
}
