//! The box's network: a loopback, and nothing else.
#![expect(unsafe_code, reason = "raising an interface has no safe wrapper")]

use std::fs;
use std::os::fd::AsRawFd;

use crate::raw::answer;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

/// Brings `lo` up.
pub fn raise_loopback() -> Result<(), Errno> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    // SAFETY: all zero is a valid value of this plain structure.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, letter) in request.ifr_name.iter_mut().zip(b"lo") {
        *place = letter.cast_signed();
    }
    // No other flag of a fresh loopback is set that could be lost.
    request.ifr_ifru.ifru_flags = i16::try_from(libc::IFF_UP).unwrap_or_default();
    // SAFETY: the structure is the one this request takes, and it outlives the call.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    answer(done.into())
}

/// Lets every user of the box listen on every port, so that names can be answered with
/// addresses on the ports they are asked for.
pub fn ports_from_zero() -> Result<(), Errno> {
    let path = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
    fs::write(path, "0").map_err(|error| Errno::from_raw_os_error(error.raw_os_error().unwrap_or(libc::EIO)))
}
