//! The host's end of a control stream. What comes in is hostile: a packet that is no message,
//! or has another number of descriptors beside it than it should, is a violation.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use aegis_door::{DESCRIPTORS_MAX, TO_HOST_BYTES_MAX, ToGuest, ToHost, decode, encode};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::watched::watched;

/// What came in.
#[derive(Debug)]
pub enum Heard {
    /// A message.
    Message(ToHost, Vec<OwnedFd>),
    /// What cannot be said.
    Violation(String),
    /// The box closed it.
    Closed,
}

/// The host's end of a control stream.
#[derive(Debug)]
pub struct Channel {
    socket: AsyncFd<OwnedFd>,
}

impl Channel {
    /// A new stream: the host's end, and the one to give away.
    pub fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let flags = rustix::fs::fcntl_getfl(&ours)?;
        rustix::fs::fcntl_setfl(&ours, flags | rustix::fs::OFlags::NONBLOCK)?;
        Ok((Self { socket: watched(ours)? }, theirs))
    }

    /// Says something, with descriptors beside it.
    pub async fn say(&self, message: &ToGuest, beside: &[BorrowedFd<'_>]) -> io::Result<()> {
        let frame = encode(message).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        self.socket.async_io(Interest::WRITABLE, |socket| send(socket.as_fd(), &frame, beside)).await
    }

    /// The next thing the box says.
    pub async fn hear(&self) -> Heard {
        match self.socket.async_io(Interest::READABLE, |socket| receive(socket.as_fd())).await {
            Ok(heard) => heard,
            Err(_) => Heard::Closed,
        }
    }
}

fn send(socket: BorrowedFd<'_>, frame: &[u8], beside: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut rights = SendAncillaryBuffer::new(&mut space);
    if !beside.is_empty() && !rights.push(SendAncillaryMessage::ScmRights(beside)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    sendmsg(socket, &[IoSlice::new(frame)], &mut rights, SendFlags::NOSIGNAL)?;
    Ok(())
}

fn receive(socket: BorrowedFd<'_>) -> io::Result<Heard> {
    let mut frame = [0; TO_HOST_BYTES_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT | RecvFlags::TRUNC;
    let received = match recvmsg(socket, &mut [IoSliceMut::new(&mut frame)], &mut beside, flags) {
        Err(errno @ (Errno::AGAIN | Errno::INTR)) => return Err(errno.into()),
        Err(_) => return Ok(Heard::Closed),
        Ok(received) => received,
    };
    let short = received.flags.contains(ReturnFlags::CTRUNC);
    let received = received.bytes;
    let mut descriptors = Vec::new();
    for message in beside.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    if received == 0 {
        return Ok(Heard::Closed);
    }
    // With TRUNC the kernel says how long the packet was, not how much of it fitted.
    let Some(frame) = frame.get(..received) else {
        return Ok(Heard::Violation(format!("a packet of {received} bytes")));
    };
    Ok(match decode::<ToHost>(frame) {
        Ok(message) if message.descriptors() == descriptors.len() => Heard::Message(message, descriptors),
        // This process has no place left for a descriptor; that is not the guest's doing.
        Ok(message) if short && descriptors.len() < message.descriptors() => Heard::Message(message, descriptors),
        Ok(_) => Heard::Violation(format!("{} descriptors beside a message", descriptors.len())),
        Err(error) => Heard::Violation(error.to_string()),
    })
}

#[cfg(test)]
#[path = "channel_tests.rs"]
pub mod channel_tests;
