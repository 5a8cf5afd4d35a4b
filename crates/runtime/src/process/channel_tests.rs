//! The host's end of a control stream against packets that no guest sends.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use aegis_door::{Ended, StreamKind};
use rustix::pipe::{PipeFlags, pipe_with};

use super::*;

/// The most descriptors that the kernel carries beside a packet.
pub const DESCRIPTORS_AT_ONCE: usize = 253;

/// Sends any bytes with any descriptors beside them.
pub fn send_raw(socket: &OwnedFd, packet: &[u8], beside: &[BorrowedFd<'_>], flags: SendFlags) -> Result<usize, Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_AT_ONCE))];
    let mut rights = SendAncillaryBuffer::new(&mut space);
    if !beside.is_empty() {
        assert!(rights.push(SendAncillaryMessage::ScmRights(beside)), "no room for descriptors");
    }
    sendmsg(socket, &[IoSlice::new(packet)], &mut rights, flags | SendFlags::NOSIGNAL)
}

fn frame(message: &ToHost) -> Vec<u8> {
    encode(message).expect("a frame")
}

fn exited() -> ToHost {
    ToHost::Exited { process: 7, ended: Ended::Code(0), timed_out: false, cpu_us: 0, memory_peak_bytes: 0 }
}

fn open() -> ToHost {
    ToHost::Open { kinds: vec![StreamKind::Api] }
}

/// What the host hears of that packet, and of an honest one after it.
async fn heard(packet: &[u8], beside: &[BorrowedFd<'_>]) -> [Heard; 2] {
    let (channel, guest) = Channel::pair().expect("a pair");
    for (packet, beside) in [(packet, beside), (&frame(&ToHost::Ready), &[])] {
        assert_eq!(send_raw(&guest, packet, beside, SendFlags::empty()), Ok(packet.len()));
    }
    [channel.hear().await, channel.hear().await]
}

#[track_caller]
fn is_violation(heard: &[Heard; 2]) {
    assert!(matches!(heard, [Heard::Violation(_), Heard::Message(ToHost::Ready, _)]), "{heard:?}");
}

#[tokio::test]
async fn what_is_no_message_is_a_violation() {
    let exited = frame(&exited());
    let (half, _) = exited.split_at(exited.len() / 2);
    let long = vec![0; TO_HOST_BYTES_MAX + 1];
    let much = vec![0; TO_HOST_BYTES_MAX + TO_HOST_BYTES_MAX / 4];
    let trailing = [exited.clone(), vec![0]].concat();
    for packet in [&[0xFF; 32], half, &long, &much, &trailing] {
        is_violation(&heard(packet, &[]).await);
    }
}

#[tokio::test]
async fn a_packet_that_is_too_long_is_not_read_as_its_beginning() {
    // Its first bytes are a message, and it ends where the space for it does.
    let mut packet = frame(&ToHost::SetupFailed { step: "x".repeat(TO_HOST_BYTES_MAX - 5), errno: 1 });
    assert_eq!(packet.len(), TO_HOST_BYTES_MAX - 1);
    packet.extend([0; 2]);
    let [first, _] = heard(&packet, &[]).await;
    assert!(matches!(&first, Heard::Violation(problem) if problem.contains("8193 bytes")), "{first:?}");
}

#[tokio::test]
async fn descriptors_that_do_not_belong_to_a_message_are_closed() {
    let cases =
        [(exited(), 1), (exited(), DESCRIPTORS_AT_ONCE), (open(), 0), (open(), 2), (open(), DESCRIPTORS_MAX + 1)];
    for (message, count) in cases {
        let (ours, theirs) = pipe_with(PipeFlags::NONBLOCK).expect("a pipe");
        is_violation(&heard(&frame(&message), &vec![theirs.as_fd(); count]).await);
        drop(theirs);
        assert_eq!(rustix::io::read(&ours, &mut [0; 1]), Ok(0), "{message:?} with {count}: somebody still has it");
    }
}

#[tokio::test]
async fn descriptors_beside_what_is_no_message_are_closed() {
    for packet in [vec![0xFF; 32], vec![0; TO_HOST_BYTES_MAX + 1], Vec::new()] {
        let (ours, theirs) = pipe_with(PipeFlags::NONBLOCK).expect("a pipe");
        let _ = heard(&packet, &[theirs.as_fd(); 3]).await;
        drop(theirs);
        assert_eq!(rustix::io::read(&ours, &mut [0; 1]), Ok(0), "{} bytes: somebody still has it", packet.len());
    }
}

#[tokio::test]
async fn a_descriptor_that_belongs_to_a_message_comes_with_it_and_is_not_inherited() {
    let (_ours, theirs) = pipe_with(PipeFlags::NONBLOCK).expect("a pipe");
    let [first, _] = heard(&frame(&open()), &[theirs.as_fd()]).await;
    let Heard::Message(ToHost::Open { .. }, beside) = first else { panic!("{first:?}") };
    let flags = beside.iter().map(|descriptor| rustix::io::fcntl_getfd(descriptor).expect("flags"));
    assert_eq!(flags.collect::<Vec<_>>(), [rustix::io::FdFlags::CLOEXEC]);
}

#[tokio::test]
async fn nothing_said_and_nobody_there_is_the_end() {
    assert!(matches!(heard(&[], &[]).await, [Heard::Closed, _]));
    let (channel, guest) = Channel::pair().expect("a pair");
    drop(guest);
    assert!(matches!(channel.hear().await, Heard::Closed));
}

#[tokio::test]
async fn what_is_not_heard_waits_with_the_guest() {
    const PILE_MAX: usize = 2 * 1024 * 1024;
    for packet in [frame(&exited()), vec![0; TO_HOST_BYTES_MAX]] {
        let (_channel, guest) = Channel::pair().expect("a pair");
        let mut waiting = 0;
        while send_raw(&guest, &packet, &[], SendFlags::DONTWAIT) == Ok(packet.len()) {
            waiting += packet.len();
            assert!(waiting < PILE_MAX, "{waiting} bytes wait in the host");
        }
    }
}
