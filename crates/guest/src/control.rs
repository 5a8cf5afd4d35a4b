//! The control stream: one message per packet, descriptors beside it. Must not know: what
//! the messages bring about.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use aegis_door::{DESCRIPTORS_MAX, FRAME_BYTES_MAX, Setup, ToGuest, ToHost, decode, encode};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};

/// The control stream.
pub struct Control {
    stream: OwnedFd,
}

/// What came in.
pub enum Received {
    /// A message, and what came beside it.
    Message(ToGuest, Vec<OwnedFd>),
    /// Nothing now.
    Nothing,
    /// The host is gone, or speaks another language: either way there is nobody to serve.
    Closed,
}

impl Control {
    /// Speaks on `stream`.
    pub fn new(stream: OwnedFd) -> Self {
        Self { stream }
    }

    /// The descriptor to wait on.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// Tells the host. If it does not listen any more, the box ends with the next receipt.
    pub fn tell(&self, message: &ToHost) {
        let _ = self.send(message, &mut SendAncillaryBuffer::default());
    }

    /// Hands the host descriptors over, and says what they are.
    pub fn hand_over(&self, message: &ToHost, descriptors: &[BorrowedFd<'_>]) -> Result<(), Errno> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut rights = SendAncillaryBuffer::new(&mut space);
        if rights.push(SendAncillaryMessage::ScmRights(descriptors)) { self.send(message, &mut rights) } else { Ok(()) }
    }

    fn send(&self, message: &ToHost, beside: &mut SendAncillaryBuffer<'_, '_, '_>) -> Result<(), Errno> {
        let Ok(frame) = encode(message) else { return Ok(()) };
        sendmsg(&self.stream, &[IoSlice::new(&frame)], beside, SendFlags::NOSIGNAL).map(drop)
    }

    /// The first message, which says what the box is to be.
    pub fn setup(&self) -> Option<(Setup, Vec<OwnedFd>)> {
        match self.receive(RecvFlags::empty()) {
            Received::Message(ToGuest::Setup(setup), descriptors) => Some((*setup, descriptors)),
            _ => None,
        }
    }

    /// The next message, if one is there.
    pub fn next(&self) -> Received {
        self.receive(RecvFlags::DONTWAIT)
    }

    fn receive(&self, flags: RecvFlags) -> Received {
        let mut frame = vec![0; FRAME_BYTES_MAX];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut beside = RecvAncillaryBuffer::new(&mut space);
        let flags = flags | RecvFlags::CMSG_CLOEXEC;
        let received = loop {
            match recvmsg(&self.stream, &mut [IoSliceMut::new(&mut frame)], &mut beside, flags) {
                Err(Errno::INTR) => {}
                other => break other,
            }
        };
        let length = match received {
            Ok(received) => received.bytes,
            Err(Errno::AGAIN) => return Received::Nothing,
            Err(_) => return Received::Closed,
        };
        let mut descriptors = Vec::new();
        for message in beside.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                descriptors.extend(rights);
            }
        }
        let frame = frame.get(..length).unwrap_or_default();
        match decode::<ToGuest>(frame) {
            Ok(message) if message.descriptors() == descriptors.len() => Received::Message(message, descriptors),
            _ => Received::Closed,
        }
    }
}
