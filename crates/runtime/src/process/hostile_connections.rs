//! The host against a guest that is asked for a connection: it hands over what is none, or one
//! that it keeps its hands on.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;

use rustix::net::{AddressFamily, SocketFlags, socket_with, sockopt};

use super::*;

const PORT: u16 = 8080;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_handed_over_must_be_a_connection() {
    let Some(place) = place().await else { return };
    let neighbour = place.with("good").await;
    let roles = [
        "connect-pipe",
        "connect-unix",
        "connect-udp",
        "connect-v6",
        "connect-listener",
        "connect-door",
        "connect-bare",
        "connect-two",
        "connect-twice",
        "connect-stranger",
        "connect-work",
        "connect-both",
    ];
    for role in roles {
        let made = place.with(role).await;
        let _ = soon(role, made.connect(PORT)).await;
        assert_eq!(soon(role, made.ended()).await, BoxEnd::DoorViolation, "{role}");
        soon(role, neighbour.file_put("file", Bytes::new(), false)).await.expect("the neighbour serves");
    }
    neighbour.kill().await;
    place.close().await;
}

#[tokio::test]
async fn a_connection_that_the_guest_keeps_its_hands_on_holds_nobody_up() {
    let Some(place) = place().await else { return };
    let made = place.with("connect-meddles").await;
    let mut connection = soon("connect", made.connect(PORT)).await.expect("connected");
    // It was told to wait when nothing comes, and something just came.
    assert_eq!(soon("read", connection.output.read()).await, Ok(Some(Bytes::from_static(b"!"))));
    let moment = Duration::from_millis(50);
    assert!(tokio::time::timeout(moment, connection.output.read()).await.is_err(), "nothing was said");
    let much = Bytes::from(vec![0; 16 * 1024 * 1024]);
    assert!(tokio::time::timeout(moment, connection.input.write(much)).await.is_err(), "nobody reads");
    // It was told to wait when it is closed, until everything was taken.
    let begun = Instant::now();
    drop(connection);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    made.kill().await;
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_never_handed_over_ends_with_its_box() {
    let Some(place) = place().await else { return };
    let made = place.with("connect-never").await;
    let moment = Duration::from_millis(50);
    assert!(tokio::time::timeout(moment, made.connect(PORT)).await.is_err());
    let (refused, end) = soon("kill", async { tokio::join!(made.connect(PORT), made.kill()) }).await;
    assert_eq!((refused.err(), end), (Some(BoxError::Ended(BoxEnd::Killed)), BoxEnd::Killed));
    place.close().await;
}

/// The guest's side.
pub fn misbehave(enemy: &Enemy, role: &str) {
    match role {
        "connects-unasked" => return hand_over(enemy, 1_000, &[&tcp().0]),
        "connect-fails-unasked" => return enemy.say(&ToHost::ConnectFailed { job: 1_000, errno: 111 }),
        _ => {}
    }
    while let Some((message, _)) = hear(&enemy.door) {
        if let ToGuest::Connect { job, .. } = message {
            answer(enemy, role, job);
        }
    }
}

fn answer(enemy: &Enemy, role: &str, job: u32) {
    let of_family = |family, kind| socket_with(family, kind, SocketFlags::CLOEXEC, None).expect("a socket");
    match role {
        "connect-pipe" => hand_over(enemy, job, &[&rustix::pipe::pipe().expect("a pipe").0]),
        "connect-unix" => hand_over(enemy, job, &[&UnixStream::pair().expect("a pair").0.into()]),
        "connect-udp" => hand_over(enemy, job, &[&of_family(AddressFamily::INET, SocketType::DGRAM)]),
        "connect-v6" => hand_over(enemy, job, &[&of_family(AddressFamily::INET6, SocketType::STREAM)]),
        "connect-listener" => hand_over(enemy, job, &[&listener().into()]),
        "connect-door" => hand_over(enemy, job, &[&enemy.door]),
        "connect-bare" => hand_over(enemy, job, &[]),
        "connect-two" => hand_over(enemy, job, &[&tcp().0, &tcp().0]),
        "connect-twice" => (0..2).for_each(|_| hand_over(enemy, job, &[&tcp().0])),
        "connect-stranger" => hand_over(enemy, job + 1, &[&tcp().0]),
        "connect-work" => enemy.say(&ToHost::Done { job, failure: None }),
        "connect-both" => {
            enemy.say(&ToHost::ConnectFailed { job, errno: 111 });
            hand_over(enemy, job, &[&tcp().0]);
        }
        "connect-meddles" => meddle(enemy, job),
        _ => {}
    }
}

/// Hands a connection over that is told to wait, in every way there is.
fn meddle(enemy: &Enemy, job: u32) {
    let (ours, mut server) = tcp();
    hand_over(enemy, job, &[&ours]);
    let flags = rustix::fs::fcntl_getfl(&ours).expect("flags");
    // The host sets it up once; this comes later.
    std::thread::sleep(Duration::from_millis(20));
    rustix::fs::fcntl_setfl(&ours, flags & !rustix::fs::OFlags::NONBLOCK).expect("set");
    sockopt::set_socket_linger(&ours, Some(Duration::from_secs(3_600))).expect("set");
    drop(ours);
    server.write_all(b"!").expect("written");
    std::mem::forget(server);
}

/// Opens a stream; its other end, which is the program's inside.
pub fn open(enemy: &Enemy) -> TcpStream {
    let (handed, inside) = tcp();
    enemy.with(&encode(&ToHost::Open { kinds: vec![StreamKind::Api] }).expect("a frame"), &[handed.as_fd()]);
    inside
}

/// More streams than wait; serves when those that are too many were closed.
pub fn open_many(enemy: &Enemy) {
    let streams: Vec<TcpStream> = (0..STREAMS_WAITING + 40).map(|_| open(enemy)).collect();
    // What waits is served in its order; so the last ones are too many.
    for mut stream in streams.iter().skip(STREAMS_WAITING) {
        assert_eq!(stream.read(&mut [0]).ok(), Some(0), "it was closed");
    }
    enemy.serve();
}

fn hand_over(enemy: &Enemy, job: u32, beside: &[&OwnedFd]) {
    let beside: Vec<BorrowedFd<'_>> = beside.iter().map(|descriptor| descriptor.as_fd()).collect();
    enemy.with(&encode(&ToHost::Connected { job }).expect("a frame"), &beside);
}

fn listener() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener")
}

/// A connection, and its server's side.
fn tcp() -> (OwnedFd, TcpStream) {
    let listener = listener();
    let ours = TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
    (ours.into(), listener.accept().expect("accepted").0)
}
