//! Network namespaces without names: making one, working in one, and setting one up. Must
//! not know: which addresses and services a world has.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::{panic, process, thread};

use rustix::fd::{AsFd, OwnedFd};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

/// The namespace of whichever thread opens it.
const OWN_LINK: &str = "/proc/thread-self/ns/net";

/// A network namespace. It lives as long as this value, a socket, a thread or a process in it.
#[derive(Debug)]
pub(crate) struct Place {
    link: OwnedFd,
}

impl Place {
    /// A new namespace with nothing in it but a loopback interface that is down.
    pub(crate) fn new() -> io::Result<Self> {
        // The thread that leaves its namespace ends here, so that no other code ever runs on it.
        on_own_thread(|| {
            leave_namespace()?;
            Self::of_this_thread()
        })
    }

    /// The namespace that the calling thread is in.
    pub(crate) fn of_this_thread() -> io::Result<Self> {
        Ok(Self { link: File::open(OWN_LINK)?.into() })
    }

    /// Moves the calling thread here, with everything that it starts from now on.
    pub(crate) fn enter(&self) -> io::Result<()> {
        move_into_link_name_space(self.link.as_fd(), Some(LinkNameSpaceType::Network))?;
        Ok(())
    }

    /// Does `work` here, on a thread of its own, and waits for it. Sockets made here stay here,
    /// whichever thread uses them later.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        on_own_thread(|| {
            self.enter().expect("who made a namespace may enter it");
            work()
        })
    }

    /// What tells this namespace from every other one: the number of its link.
    pub(crate) fn number(&self) -> io::Result<u64> {
        Ok(rustix::fs::fstat(&self.link)?.st_ino)
    }

    /// A path at which other processes find this namespace.
    pub(crate) fn path(&self) -> String {
        format!("/proc/{}/fd/{}", process::id(), self.link.as_raw_fd())
    }

    /// Carries out lines of the `ip` program here.
    pub(crate) fn configure(&self, lines: &str) -> io::Result<()> {
        self.run(|| ip(lines))
    }

    /// Gives a setting below `/proc/sys/net` a value here; the kernel shows every thread the
    /// settings of its own namespace.
    pub(crate) fn set(&self, setting: &str, value: &str) -> io::Result<()> {
        self.run(|| {
            let path = format!("/proc/sys/net/{setting}");
            // A machine may show its settings without letting them be written.
            if fs::read_to_string(&path)?.split_whitespace().eq(value.split_whitespace()) {
                return Ok(());
            }
            fs::write(path, value)
        })
    }
}

#[expect(deprecated, reason = "the successor is unsafe for the sake of descriptor tables, which this leaves alone")]
fn leave_namespace() -> io::Result<()> {
    rustix::thread::unshare(UnshareFlags::NEWNET)?;
    Ok(())
}

fn on_own_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(work).join()).unwrap_or_else(|reason| panic::resume_unwind(reason))
}

fn ip(lines: &str) -> io::Result<()> {
    let mut child = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    child.stdin.take().expect("the input was asked for as a pipe").write_all(lines.as_bytes())?;
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("`{lines}`: {}", String::from_utf8_lossy(&output.stderr))))
}
