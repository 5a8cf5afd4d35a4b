//! A terminal in a box.

use std::time::{Duration, Instant};

use aegis_conformance::runtime::agent_of;
use aegis_model::boxes::{Exit, Program, TerminalSize};
use aegis_model::port::{ByteSource, Running};
use bytes::Bytes;

use super::place;

/// Reads until the text has been shown.
async fn until(output: &mut dyn ByteSource, text: &str) -> String {
    let mut shown = String::new();
    while !shown.contains(text) {
        match output.read().await.expect("read") {
            Some(bytes) => shown.push_str(&String::from_utf8_lossy(&bytes)),
            None => panic!("the terminal ended before {text:?} was shown: {shown:?}"),
        }
    }
    shown
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_has_a_size_an_interrupt_and_an_end() {
    let Some(place) = place().await else { return };
    let subject = place.subject();
    let made = subject.plain().await;
    let size = TerminalSize { rows: 24, columns: 80 };
    let program = Program { terminal: Some(size), ..agent_of(&["tty"]) };
    let Running { mut input, mut output, steering, .. } = made.exec(program).await.expect("started");
    until(output.as_mut(), "24x80").await;
    steering.resize(TerminalSize { rows: 50, columns: 132 }).await.expect("resized");
    until(output.as_mut(), "50x132").await;
    input.write(Bytes::from_static(b"hello\n")).await.expect("typed");
    until(output.as_mut(), "line:hello").await;
    // What Ctrl-C types: the terminal makes a signal of it.
    input.write(Bytes::from_static(b"\x03")).await.expect("typed");
    until(output.as_mut(), "interrupted").await;
    assert_eq!(steering.ending().await.exit, Exit::Code(130));
    made.kill().await;
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_on_a_terminal_works_like_one() {
    let Some(place) = place().await else { return };
    let made = place.subject().plain().await;
    let size = TerminalSize { rows: 24, columns: 80 };
    let program = Program { terminal: Some(size), ..Program::of(["sh", "-i"]) };
    let Running { mut input, mut output, steering, .. } = made.exec(program).await.expect("started");
    // What the child shows, it shows when the terminal is its own already.
    let line = b"sh -c 'echo $((6 * 7)) $(tty) $HOME; exec sleep 60'\n";
    input.write(Bytes::from_static(line)).await.expect("typed");
    until(output.as_mut(), "42 /dev/pts/0 /workspace").await;
    // The shell's child is interrupted, not the shell.
    let typed = Instant::now();
    input.write(Bytes::from_static(b"\x03")).await.expect("typed");
    input.write(Bytes::from_static(b"exit 5\n")).await.expect("typed");
    while output.read().await.expect("read").is_some() {}
    assert_eq!(steering.ending().await.exit, Exit::Code(5));
    assert!(typed.elapsed() < Duration::from_secs(50), "the child was not interrupted");
    made.kill().await;
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_nobody_looks_at_hangs_up() {
    let Some(place) = place().await else { return };
    let made = place.subject().plain().await;
    let program = Program { terminal: Some(TerminalSize { rows: 24, columns: 80 }), ..Program::of(["cat"]) };
    let Running { input, output, steering, errors } = made.exec(program).await.expect("started");
    drop((input, output, errors));
    assert!(matches!(steering.ending().await.exit, Exit::Signal(1) | Exit::Code(_)));
    made.kill().await;
    place.close().await;
}
