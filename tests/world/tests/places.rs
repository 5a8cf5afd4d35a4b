//! That a world is closed: nothing reaches the machine's own network, and nothing is left.

#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "these are tests, which may fail and run programs")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::time::{Duration, Instant};
use std::{fs, panic, thread};

use aegis_world::{EnterError, World};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

const SOON: Duration = Duration::from_secs(5);

fn ip(arguments: &[&str]) -> String {
    let output = Command::new("ip").args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn place() -> String {
    fs::read_link("/proc/thread-self/ns/net").unwrap().to_str().unwrap().to_owned()
}

fn processes_in(place: &str) -> usize {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter(|entry| fs::read_link(entry.path().join("ns/net")).is_ok_and(|link| link.as_os_str() == place))
        .count()
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, SOON).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream
}

/// Waits for what the kernel does a little later.
fn becomes_true(mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < SOON {
        if condition() {
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    false
}

#[test]
fn addresses_of_every_kind_are_reachable_outside() {
    let world = World::enter().unwrap();
    let addresses = [
        "20.0.0.1",
        "10.20.0.5",
        "192.168.1.1",
        "169.254.169.254",
        "100.100.100.200",
        "10.77.0.2",
        "2600::1",
        "fd00:ec2::254",
        "64:ff9b::a9fe:a9fe",
        "fd77::2",
    ];
    for address in addresses {
        let echo = world.echo(address, 4000);
        let mut stream = connect(echo.address());
        assert_eq!(stream.peer_addr().unwrap().ip(), address.parse::<IpAddr>().unwrap());
        stream.write_all(b"hello").unwrap();
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"hello", "{address}");
    }
}

#[test]
fn the_only_way_out_is_the_outside() {
    let before = place();
    let world = World::enter().unwrap();
    assert_ne!(place(), before);
    let links = ip(&["-o", "link"]);
    assert_eq!(links.lines().count(), 2, "{links}");
    assert!(links.contains(" lo:") && links.contains(" h0@"), "{links}");
    for family in ["-4", "-6"] {
        for line in ip(&[family, "route"]).lines() {
            assert!(line.contains("dev h0"), "{line}");
        }
    }
    let outside = world.outside(|| ip(&["-o", "link"]));
    assert_eq!(outside.lines().count(), 2, "{outside}");
    for line in world.outside(|| ip(&["route"])).lines() {
        assert!(line.contains("dev w0"), "{line}");
    }
    let nobody = "20.0.0.99:80".parse().unwrap();
    assert!(TcpStream::connect_timeout(&nobody, Duration::from_millis(300)).is_err());
}

#[test]
fn without_privileges_there_is_no_world_and_the_thread_stays_where_it_is() {
    // Privileges belong to a thread, so that only this one gives them up.
    let unprivileged = thread::spawn(|| {
        let before = place();
        let nothing = CapabilitySet::empty();
        set_capabilities(None, CapabilitySets { effective: nothing, permitted: nothing, inheritable: nothing })
            .unwrap();
        let error = World::enter().unwrap_err();
        assert!(matches!(error, EnterError::Unprivileged(_)), "{error}");
        assert_eq!(place(), before);
    });
    unprivileged.join().unwrap();
}

#[test]
fn a_failing_test_leaves_its_world() {
    let before = place();
    let failed = panic::catch_unwind(|| {
        let _world = World::enter().unwrap();
        assert_eq!(place(), before);
    });
    assert!(failed.is_err());
    assert_eq!(place(), before);
}

#[test]
fn threads_and_programs_of_the_entering_thread_are_here_and_others_are_not() {
    let barrier = Barrier::new(2);
    thread::scope(|scope| {
        let early = scope.spawn(|| {
            barrier.wait();
            place()
        });
        let world = World::enter().unwrap();
        barrier.wait();
        let early = early.join().unwrap();
        assert_eq!(world.here(place), place());
        assert_eq!(scope.spawn(place).join().unwrap(), place());
        assert_ne!(early, place());
        assert_ne!(world.outside(place), place());
        assert!(ip(&["-o", "link"]).contains("h0@"));
    });
}

#[test]
fn settings_are_those_of_the_place_of_the_thread() {
    let before = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
    let world = World::enter().unwrap();
    let read = || fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
    for range in [read(), world.outside(read)] {
        assert_eq!(range.split_whitespace().collect::<Vec<_>>(), ["1024", "65535"]);
    }
    drop(world);
    assert_eq!(read(), before);
}

#[test]
fn worlds_in_parallel_do_not_see_each_other() {
    let barrier = Barrier::new(4);
    thread::scope(|scope| {
        for index in 0..4_u8 {
            let barrier = &barrier;
            scope.spawn(move || {
                let world = World::enter().unwrap();
                let banner = world.banner("20.0.0.1", 25, [index]);
                world.names().set_addresses("same.example", &[&format!("20.0.0.{index}")]);
                barrier.wait();
                let mut heard = [0];
                connect(banner.address()).read_exact(&mut heard).unwrap();
                assert_eq!(heard, [index]);
                assert_eq!(banner.connections(), 1);
                barrier.wait();
            });
        }
    });
}

#[test]
fn nothing_is_left_after_a_world() {
    let before = place();
    let world = World::enter().unwrap();
    let (here, outside) = (place(), world.outside(place));
    let echo = world.echo("20.0.0.1", 7);
    let open = connect(echo.address());
    // The child of the program has no handle; it must end all the same.
    let mut command = Command::new("sh");
    let program = world.run_outside(command.args(["-c", "setsid sleep 1000 & exec sleep 1000"])).unwrap();
    assert!(becomes_true(|| processes_in(&outside) == 2), "{}", processes_in(&outside));
    drop(world);
    assert_eq!(place(), before);
    assert!(becomes_true(|| processes_in(&outside) == 0));
    assert_eq!(processes_in(&here), 0);
    assert_eq!(echo.current(), 0);
    drop((open, program));
    assert!(!ip(&["-o", "link"]).contains("h0@"));
    let named = fs::read_dir("/run/netns").map_or(0, Iterator::count);
    assert_eq!(named, 0);
}

#[test]
fn a_thread_that_stays_behind_has_no_interface() {
    let (world_ended, ended) = (Barrier::new(2), Barrier::new(2));
    thread::scope(|scope| {
        let world = World::enter().unwrap();
        let behind = scope.spawn(|| {
            world_ended.wait();
            ended.wait();
            ip(&["-o", "link"])
        });
        world_ended.wait();
        drop(world);
        ended.wait();
        let links = behind.join().unwrap();
        assert_eq!(links.lines().count(), 1, "{links}");
    });
}

#[test]
fn worlds_come_and_go_without_leaving_threads_or_descriptors() {
    let count = |what: &str| fs::read_dir(format!("/proc/self/{what}")).unwrap().count();
    let round = || {
        let world = World::enter().unwrap();
        let web = world.web("20.0.0.1", 80);
        let stream = connect(web.address());
        assert!(web.wait_for_current(1, SOON));
        drop((world, stream));
        assert_eq!(web.current(), 0);
    };
    round();
    // Tests that run at the same time have threads and descriptors too, so that only a growth
    // by each round can be told from theirs.
    let before = (count("task"), count("fd"));
    for _ in 0..100 {
        round();
    }
    assert!(count("task") < before.0 + 90, "{before:?} {}", count("task"));
    assert!(count("fd") < before.1 + 90, "{before:?} {}", count("fd"));
}

#[test]
fn the_outside_can_call_here() {
    let world = World::enter().unwrap();
    let socket = UdpSocket::bind((world.own_address(), 0)).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    let target = socket.local_addr().unwrap();
    world.add_address("20.0.0.1");
    world.outside(|| UdpSocket::bind("20.0.0.1:9").unwrap().send_to(b"hello", target).unwrap());
    let mut buffer = [0; 16];
    let (length, peer) = socket.recv_from(&mut buffer).unwrap();
    assert_eq!((&buffer[..length], peer), (&b"hello"[..], "20.0.0.1:9".parse().unwrap()));
}

#[test]
fn a_program_outside_listens_outside_and_ends_with_its_handle() {
    let world = World::enter().unwrap();
    world.add_address("20.0.0.1");
    let mut command = Command::new("sh");
    command.args(["-c", "ip -o address; exec cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut program = world.run_outside(&mut command).unwrap();
    let output = BufReader::new(program.stdout.take().unwrap());
    assert!(output.lines().any(|line| line.unwrap().contains("20.0.0.1/32")));
    let id = program.id();
    drop(program);
    assert!(!fs::exists(format!("/proc/{id}")).unwrap());
}

#[test]
fn a_unix_socket_becomes_a_host() {
    let directory = format!("/tmp/aegis-world-{}", std::process::id());
    fs::create_dir_all(&directory).unwrap();
    let path = format!("{directory}/socket");
    let listener = UnixListener::bind(&path).unwrap();
    let program = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut heard = String::new();
        stream.read_to_string(&mut heard).unwrap();
        stream.write_all(heard.to_uppercase().as_bytes()).unwrap();
    });
    let world = World::enter().unwrap();
    let relay = world.relay("20.0.0.1", 5432, &path);
    let mut stream = connect(relay.address());
    stream.write_all(b"select").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "SELECT");
    program.join().unwrap();
    drop(stream);
    assert!(relay.wait_for_current(0, SOON));
    fs::remove_dir_all(directory).unwrap();
    // Without a program the connection ends at once.
    assert_eq!(connect(relay.address()).read(&mut [0]).unwrap_or(0), 0);
}

#[test]
fn sinks_and_sources_count_and_send() {
    let world = World::enter().unwrap();
    let (sink, source) = (world.sink("20.0.0.1", 9), world.source("20.0.0.1", 19));
    let mut stream = connect(sink.address());
    stream.write_all(&vec![1; 1_000_000]).unwrap();
    drop(stream);
    assert!(becomes_true(|| sink.bytes() == 1_000_000));
    let mut bytes = vec![0; 200_000];
    connect(source.address()).read_exact(&mut bytes).unwrap();
    assert_eq!(bytes, aegis_world::pattern(200_000));
    assert!(source.wait_for_current(0, SOON));
}

#[test]
fn a_closed_service_refuses_and_a_cut_one_does_not() {
    let world = World::enter().unwrap();
    let echo = world.echo("20.0.0.1", 7);
    let mut stream = connect(echo.address());
    assert!(echo.wait_for_current(1, SOON));
    echo.cut();
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    let mut stream = connect(echo.address());
    assert!(becomes_true(|| echo.connections() == 2));
    echo.close();
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    let error = TcpStream::connect_timeout(&echo.address(), SOON).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn connections_do_not_wait_for_each_other() {
    let world = World::enter().unwrap();
    let echo = world.echo("20.0.0.1", 7);
    let mut streams: Vec<_> = (0..300).map(|_| connect(echo.address())).collect();
    for stream in streams.iter_mut().rev() {
        stream.write_all(b"x").unwrap();
        stream.read_exact(&mut [0]).unwrap();
    }
    assert_eq!((echo.connections(), echo.current()), (300, 300));
    drop(streams);
    assert!(echo.wait_for_current(0, SOON));
}
