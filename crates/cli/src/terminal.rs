//! Where output goes and answers come from. Must not know: what is shown.

use std::io::{self, BufRead, IsTerminal, Write};

use aegis_model::boxes::TerminalSize;

use crate::failure::Failure;
use crate::output::Style;

/// The three streams of a process and what they lead to.
pub struct Terminal {
    /// Where data goes: stdout.
    pub data: Box<dyn Write + Send>,
    /// Where messages go: stderr.
    pub messages: Box<dyn Write + Send>,
    /// Where answers to questions come from: stdin.
    pub answers: Box<dyn BufRead + Send>,
    /// Whether somebody can be asked: stdin and stderr are terminals.
    pub is_interactive: bool,
    /// Whether data may be coloured.
    pub colours_data: bool,
    /// Whether messages may be coloured, and progress be drawn.
    pub colours_messages: bool,
    /// Whether messages go to a person.
    pub messages_are_read: bool,
}

/// The size of the terminal that this process has, if it has one.
pub(crate) fn size() -> Option<TerminalSize> {
    let size = rustix::termios::tcgetwinsize(io::stdin()).ok()?;
    Some(TerminalSize { rows: size.ws_row, columns: size.ws_col })
}

/// The terminal passes everything on as it is typed, until this is dropped.
pub(crate) struct RawTerminal(rustix::termios::Termios);

impl RawTerminal {
    /// Makes the terminal of this process pass everything on.
    pub(crate) fn enter() -> Option<Self> {
        let before = rustix::termios::tcgetattr(io::stdin()).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Now, &raw).ok()?;
        Some(Self(before))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        let _gone = rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Now, &self.0);
    }
}

/// The terminal does not show what is typed, until this is dropped.
pub(crate) struct SilentTerminal(rustix::termios::Termios);

impl SilentTerminal {
    /// Silences the terminal of this process, if stdin is one.
    pub(crate) fn enter() -> Option<Self> {
        use rustix::termios::LocalModes;
        let before = rustix::termios::tcgetattr(io::stdin()).ok()?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        silent.local_modes.insert(LocalModes::ECHONL);
        rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Flush, &silent).ok()?;
        Some(Self(before))
    }
}

impl Drop for SilentTerminal {
    fn drop(&mut self) {
        let _gone = rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Now, &self.0);
    }
}

impl Terminal {
    /// The streams of this process.
    pub fn of_process(no_color: bool) -> Self {
        let messages_are_read = io::stderr().is_terminal();
        Self {
            data: Box::new(io::stdout()),
            messages: Box::new(io::stderr()),
            answers: Box::new(io::BufReader::new(io::stdin())),
            is_interactive: io::stdin().is_terminal() && messages_are_read,
            colours_data: io::stdout().is_terminal() && !no_color,
            colours_messages: messages_are_read && !no_color,
            messages_are_read,
        }
    }

    /// How data is drawn.
    pub(crate) fn data_style(&self) -> Style {
        Style { colour: self.colours_data }
    }

    /// How messages are drawn.
    pub(crate) fn message_style(&self) -> Style {
        Style { colour: self.colours_messages }
    }

    /// Writes data. A reader that went away is no failure: see [`Failure::Closed`].
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.data.write_all(bytes).and_then(|()| self.data.flush());
        written.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::Closed,
            _ => Failure::internal(format!("cannot write to stdout: {error}")),
        })
    }

    /// Writes a line of data.
    pub(crate) fn write_line(&mut self, line: &str) -> Result<(), Failure> {
        self.write(format!("{}\n", line.trim_end_matches('\n')).as_bytes())
    }

    /// Writes a message. Nobody to read it is no failure.
    pub(crate) fn tell(&mut self, message: &str) {
        self.clear_progress();
        let _ = writeln!(self.messages, "{}", message.trim_end_matches('\n'));
    }

    /// Draws how far long work has come, over what was drawn before.
    pub(crate) fn progress(&mut self, text: &str) {
        if self.messages_are_read {
            let _ = write!(self.messages, "\r\x1b[2K{text}");
            let _ = self.messages.flush();
        }
    }

    /// Wipes what `progress` has drawn.
    pub(crate) fn clear_progress(&mut self) {
        if self.messages_are_read {
            let _ = write!(self.messages, "\r\x1b[2K");
        }
    }

    /// Asks for one line, of so many bytes at most.
    pub(crate) fn ask_line(&mut self, question: &str, limit_bytes: u64) -> io::Result<Vec<u8>> {
        let _ = write!(self.messages, "{question}");
        let _ = self.messages.flush();
        let mut line = Vec::new();
        io::Read::take(&mut self.answers, limit_bytes).read_until(b'\n', &mut line)?;
        Ok(line)
    }

    /// Asks a question whose answer must be `y` or `yes`.
    pub(crate) fn ask(&mut self, question: &str) -> bool {
        let _ = write!(self.messages, "{question} [y/N] ");
        let _ = self.messages.flush();
        let mut answer = String::new();
        let read = self.answers.read_line(&mut answer);
        read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
    }

    /// Shows help, a version or what was typed wrong, and returns the exit code.
    pub(crate) fn show_usage(&mut self, error: &clap::Error) -> u8 {
        let rendered = error.render();
        if error.use_stderr() {
            let text = if self.colours_messages { rendered.ansi().to_string() } else { rendered.to_string() };
            self.tell(&text);
            return 2;
        }
        let text = if self.colours_data { rendered.ansi().to_string() } else { rendered.to_string() };
        match self.write(text.as_bytes()) {
            Ok(()) => 0,
            Err(failure) => failure.exit_code(),
        }
    }
}
