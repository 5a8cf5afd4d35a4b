//! The terminal, the environment and other programs: the only file of this crate that
//! touches them, so that every rule elsewhere is a function from data to data.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "xtask is a program for people: printing and starting cargo is its job"
)]

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use crate::failure::Failure;

/// A line on stdout: what was asked for.
pub fn tell(line: &str) {
    println!("{line}");
}

/// A line on stderr: what is going on.
pub fn say(line: &str) {
    eprintln!("{line}");
}

/// A variable of the environment.
pub fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// Copies to our stdout. Once that is closed, reads on, so that nobody writes into a full pipe.
fn pass_on(mut output: impl Read) {
    let mut terminal = std::io::stdout();
    let passed = std::io::copy(&mut output, &mut terminal).and_then(|_| terminal.flush());
    if passed.is_err() {
        let _lost = std::io::copy(&mut output, &mut std::io::sink());
    }
}

/// A call of another program, not yet made.
pub struct Call {
    command: Command,
    /// Never shown.
    secret: Option<String>,
}

impl Call {
    /// Of `program`, in `folder`.
    pub fn new(program: impl AsRef<OsStr>, folder: &Path) -> Self {
        let mut command = Command::new(program);
        command.current_dir(folder).stdin(Stdio::null());
        Self { command, secret: None }
    }

    /// Of the cargo that runs us, in `folder`.
    pub fn cargo(folder: &Path) -> Self {
        Self::new(variable("CARGO").unwrap_or_else(|| "cargo".into()), folder)
    }

    /// With more arguments.
    pub fn with<I: IntoIterator<Item: AsRef<OsStr>>>(mut self, arguments: I) -> Self {
        self.command.args(arguments);
        self
    }

    /// With a variable set in its environment.
    pub fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// With a word that is never shown.
    pub fn hidden(mut self, secret: &str) -> Self {
        self.secret = Some(secret.to_owned());
        self
    }

    /// The command line, for messages.
    fn line(&self) -> String {
        let program = Path::new(self.command.get_program()).file_name().unwrap_or_default();
        let words = std::iter::once(program).chain(self.command.get_args());
        let line = words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ");
        match &self.secret {
            Some(secret) => line.replace(secret.as_str(), "…"),
            None => line,
        }
    }

    /// Makes the call with our terminal, and fails unless it ends well.
    pub fn run(mut self) -> Result<(), Failure> {
        let command = self.line();
        say(&format!("$ {command}"));
        match self.command.status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Failure::Ended { command, status }),
            Err(source) => Err(Failure::Start { command, source }),
        }
    }

    /// Makes the call and returns what it wrote on stdout, and fails unless it ends well.
    pub fn read(mut self) -> Result<String, Failure> {
        let command = self.line();
        match self.command.stderr(Stdio::inherit()).output() {
            Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            Ok(output) => Err(Failure::Ended { command, status: output.status }),
            Err(source) => Err(Failure::Start { command, source }),
        }
    }

    /// Makes the call, passes on what it writes on stdout, and kills it after `limit`; fails
    /// unless it ends well before. Its stdin is a pipe that nobody writes into: QEMU takes
    /// the end of its stdin for the end of its terminal, and no longer writes either.
    pub fn run_within(mut self, limit: Duration) -> Result<(), Failure> {
        let command = self.line();
        let start = |source| Failure::Start { command: command.clone(), source };
        let mut child = self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(start)?;
        let output = child.stdout.take();
        let (sender, receiver) = mpsc::sync_channel(1);
        // A program that closed its stdout has ended, or is about to.
        std::thread::spawn(move || {
            if let Some(output) = output {
                pass_on(output);
            }
            drop::<mpsc::SyncSender<()>>(sender);
        });
        let late = receiver.recv_timeout(limit) == Err(RecvTimeoutError::Timeout);
        if late {
            child.kill().map_err(start)?;
        }
        let status = child.wait().map_err(start)?;
        match status {
            _ if late => Err(Failure::Late { seconds: limit.as_secs() }),
            status if status.success() => Ok(()),
            status => Err(Failure::Ended { command, status }),
        }
    }

    /// Whether the program is there and ends well; nothing is shown.
    pub fn works(mut self) -> bool {
        self.command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    }

    /// Starts the program and leaves it running, its stdout in a pipe.
    pub fn start(mut self) -> Result<Child, Failure> {
        let command = self.line();
        say(&format!("$ {command} &"));
        self.command.stdout(Stdio::piped()).spawn().map_err(|source| Failure::Start { command, source })
    }

    /// Starts the program with our terminal and leaves it to itself.
    pub fn leave(mut self) -> Result<(), Failure> {
        let command = self.line();
        self.command.spawn().map(drop).map_err(|source| Failure::Start { command, source })
    }

    /// Replaces this process by the program; returns only if that fails.
    pub fn become_it(mut self) -> Failure {
        use std::os::unix::process::CommandExt;
        let command = self.line();
        say(&format!("$ {command}"));
        Failure::Start { command, source: self.command.stdin(Stdio::inherit()).exec() }
    }
}
