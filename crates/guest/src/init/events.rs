//! Waiting for whatever happens next.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// The host said something, or is gone.
    Control,
    /// Something inside asks for a name.
    Names,
    /// Something inside goes this way out.
    Way(u32),
    /// A child has ended.
    Children,
    /// A pump can go on.
    Pump(u64),
}

const CONTROL: u64 = 0;
const CHILDREN: u64 = 1;
const NAMES: u64 = 2;
/// Ways out, each with its number.
const WAYS: u64 = 1 << 32;
/// Pumps, each with its number.
const PUMPS: u64 = 1 << 33;

/// Events taken in at once.
const AT_ONCE: usize = 32;

/// What is waited for.
pub struct Events {
    waiting: OwnedFd,
}

impl Events {
    /// Waits for nothing yet.
    pub fn new() -> Result<Self, Errno> {
        Ok(Self { waiting: epoll::create(CreateFlags::CLOEXEC)? })
    }

    /// Waits until something can be read.
    pub fn watch(&self, descriptor: BorrowedFd<'_>, woken: Woken) -> Result<(), Errno> {
        self.add(descriptor, woken, EventFlags::IN)
    }

    /// Waits for `flags`; for none of them only until the other side is gone.
    pub fn add(&self, descriptor: BorrowedFd<'_>, woken: Woken, flags: EventFlags) -> Result<(), Errno> {
        epoll::add(&self.waiting, descriptor, data(woken), flags)
    }

    /// Waits for something else from now on.
    pub fn change(&self, descriptor: BorrowedFd<'_>, woken: Woken, flags: EventFlags) -> Result<(), Errno> {
        epoll::modify(&self.waiting, descriptor, data(woken), flags)
    }

    /// Waits no longer.
    pub fn forget(&self, descriptor: BorrowedFd<'_>) {
        let _ = epoll::delete(&self.waiting, descriptor);
    }

    /// What happened, or nothing if it is `until`.
    pub fn wait(&self, until_ns: Option<u64>, now_ns: u64) -> Result<Vec<Woken>, Errno> {
        let timeout = until_ns.map(|until| span(until.saturating_sub(now_ns)));
        let mut happened = Vec::with_capacity(AT_ONCE);
        match epoll::wait(&self.waiting, rustix::buffer::spare_capacity(&mut happened), timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
        Ok(happened.iter().map(woken).collect())
    }
}

fn span(nanoseconds: u64) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(nanoseconds / 1_000_000_000).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(nanoseconds % 1_000_000_000).unwrap_or_default(),
    }
}

fn data(woken: Woken) -> EventData {
    EventData::new_u64(match woken {
        Woken::Control => CONTROL,
        Woken::Children => CHILDREN,
        Woken::Names => NAMES,
        Woken::Way(number) => WAYS | u64::from(number),
        Woken::Pump(number) => PUMPS.saturating_add(number),
    })
}

fn woken(event: &Event) -> Woken {
    let data = event.data;
    match data.u64() {
        CONTROL => Woken::Control,
        CHILDREN => Woken::Children,
        NAMES => Woken::Names,
        number if number < PUMPS => Woken::Way(u32::try_from(number & (WAYS - 1)).unwrap_or_default()),
        number => Woken::Pump(number - PUMPS),
    }
}
