//! `aegis session exec`: a program in a session's box, with or without a terminal.

use std::io::{Read, Write};

use aegis_model::SessionId;
use aegis_model::boxes::{BoxSignal, TerminalSize};
use aegis_model::exec::{EXEC_FRAME_BYTES_MAX, ExecEnding, ExecFrame, ExecRequest};
use aegis_sdk::{Attached, ClientError, Hearing, Saying};
use bytes::Bytes;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::context::Context;
use crate::failure::Failure;
use crate::terminal::{RawTerminal, size};

/// Frames that are on their way at most.
const FRAMES: usize = 8;

/// Start a program in a session's box
///
/// It runs as the agent does, and is recorded. It is killed when the connection breaks.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis session exec ada -- ls -l
  aegis session exec -it ada -- sh
  aegis session exec -i ada -- tar x < files.tar")]
pub(crate) struct Arguments {
    /// Let it read stdin
    #[arg(long, short)]
    interactive: bool,
    /// Give it a terminal
    #[arg(long, short)]
    terminal: bool,
    /// Its working directory, instead of `/workspace`
    #[arg(long, short, value_name = "DIR")]
    directory: Option<String>,
    /// The session
    id: SessionId,
    /// The program and its arguments
    #[arg(required = true, last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let terminal = if arguments.terminal { Some(size().ok_or_else(no_terminal)?) } else { None };
    let request = ExecRequest {
        command: arguments.command.clone(),
        directory: arguments.directory.clone(),
        terminal,
        ..ExecRequest::default()
    };
    let attached = context.wait(client.session_attach(&arguments.id, &request))?;
    let raw = if arguments.terminal { RawTerminal::enter() } else { None };
    let carried = context.wait(carry(attached, arguments));
    drop(raw);
    ended(context, &carried?)
}

fn no_terminal() -> Failure {
    Failure::usage("there is no terminal here to give to the program", "leave `-t` out")
}

/// Carries bytes and signals until the program has ended.
async fn carry(attached: Attached, arguments: &Arguments) -> Result<ExecEnding, ClientError> {
    let Attached { saying, hearing } = attached;
    let (frames, sending) = mpsc::channel(FRAMES);
    if arguments.interactive {
        let frames = frames.clone();
        // A thread of its own, which nobody waits for: a read of stdin cannot be cut short.
        std::thread::spawn(move || send_input(&frames));
    } else {
        let _gone = frames.send(ExecFrame::InputEnd).await;
    }
    tokio::select! {
        ending = hear_out(hearing) => ending,
        said = say_all(saying, sending) => Err(said.err().unwrap_or_else(closed)),
        () = send_signals(&frames, arguments.terminal) => Err(closed()),
    }
}

fn closed() -> ClientError {
    ClientError::Unreachable { url: String::new(), cause: "the connection was closed".to_owned() }
}

async fn say_all(mut saying: Saying, mut sending: mpsc::Receiver<ExecFrame>) -> Result<(), ClientError> {
    while let Some(frame) = sending.recv().await {
        saying.say(&frame).await?;
    }
    Ok(())
}

async fn hear_out(mut hearing: Hearing) -> Result<ExecEnding, ClientError> {
    let (mut output, mut errors) = (std::io::stdout(), std::io::stderr());
    loop {
        // Whoever read our output may be gone; the program is heard out all the same.
        let _gone = match hearing.hear().await? {
            ExecFrame::Output(bytes) => output.write_all(&bytes).and_then(|()| output.flush()),
            ExecFrame::Errors(bytes) => errors.write_all(&bytes).and_then(|()| errors.flush()),
            ExecFrame::Ended(ending) => return Ok(ending),
            _ => Ok(()),
        };
    }
}

fn send_input(frames: &mpsc::Sender<ExecFrame>) {
    let mut input = std::io::stdin();
    let mut piece = vec![0; EXEC_FRAME_BYTES_MAX / 4];
    loop {
        let frame = match input.read(&mut piece) {
            Ok(length) if length > 0 => {
                ExecFrame::Input(Bytes::copy_from_slice(piece.get(..length).unwrap_or_default()))
            }
            _ => ExecFrame::InputEnd,
        };
        let over = frame == ExecFrame::InputEnd;
        if frames.blocking_send(frame).is_err() || over {
            return;
        }
    }
}

/// Passes on what happens to us: a new size of the terminal, an interrupt, a request to end.
async fn send_signals(frames: &mpsc::Sender<ExecFrame>, terminal: bool) {
    let listen = |kind| signal(kind).ok();
    let (mut resized, mut interrupted, mut asked) =
        (listen(SignalKind::window_change()), listen(SignalKind::interrupt()), listen(SignalKind::terminate()));
    loop {
        let frame = tokio::select! {
            Some(()) = heard(&mut resized) => match size().filter(|_| terminal) {
                Some(TerminalSize { rows, columns }) => ExecFrame::Resize(TerminalSize { rows, columns }),
                None => continue,
            },
            Some(()) = heard(&mut interrupted) => ExecFrame::Signal(BoxSignal::Interrupt),
            Some(()) = heard(&mut asked) => ExecFrame::Signal(BoxSignal::Terminate),
        };
        if frames.send(frame).await.is_err() {
            return;
        }
    }
}

async fn heard(signal: &mut Option<tokio::signal::unix::Signal>) -> Option<()> {
    match signal {
        Some(signal) => signal.recv().await,
        None => std::future::pending().await,
    }
}

/// What a program ended with is told; anything but 0 is a failure of the program.
fn ended(context: &mut Context, ending: &ExecEnding) -> Result<(), Failure> {
    match (ending.exit_code, &ending.reason) {
        (Some(0), _) => Ok(()),
        (Some(code), _) => {
            context.tell(&format!("it ended with exit code {code}"));
            Err(Failure::Said(1))
        }
        (None, reason) => {
            context.tell(&format!("it was ended: {}", reason.as_deref().unwrap_or("no reason is known")));
            Err(Failure::Said(1))
        }
    }
}
