//! Starting a program: finding it, giving it its streams or its terminal, and saying in
//! words why it does not start.
#![expect(unsafe_code, reason = "a terminal is taken between fork and exec")]

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use aegis_door::Failure;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};

use super::process::size;
use super::pump::Flow;

/// Where programs are looked for when the environment does not say.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// What is to be started.
pub struct Program {
    /// The program and its arguments.
    pub arguments: Vec<String>,
    /// Its whole environment.
    pub environment: Vec<(String, String)>,
    /// Its working directory; the present one when empty.
    pub directory: String,
    /// Rows and columns of its terminal, if it has one.
    pub terminal: Option<(u16, u16)>,
}

/// A program that was started.
pub struct Started {
    /// Its process id.
    pub pid: i32,
    /// The host's side of its terminal.
    pub terminal: Option<OwnedFd>,
    /// What is to be carried.
    pub flows: Vec<Flow>,
}

/// What stands between a program and the door.
struct Streams {
    input: OwnedFd,
    output: OwnedFd,
    error: OwnedFd,
    flows: Vec<Flow>,
    terminal: Option<OwnedFd>,
}

impl Program {
    /// Starts it; `door` are the streams that came beside the request.
    pub fn start(&self, door: Vec<OwnedFd>) -> Result<Started, Failure> {
        let streams = match (self.terminal, <[OwnedFd; 3]>::try_from(door)) {
            (Some((rows, columns)), Err(door)) => {
                let socket = door.into_iter().next().ok_or(Failure::Unacceptable)?;
                terminal(socket, rows, columns)
            }
            (None, Ok(door)) => pipes(door),
            _ => return Err(Failure::Unacceptable),
        };
        self.run(streams.map_err(|errno| why(errno.raw_os_error()))?)
    }

    #[expect(clippy::disallowed_methods, reason = "starting programs is what the guest is for")]
    fn run(&self, streams: Streams) -> Result<Started, Failure> {
        let path = self.find()?;
        check_format(&path)?;
        let mut command = Command::new(&path);
        command.args(self.arguments.iter().skip(1)).env_clear();
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
            .stdin(Stdio::from(streams.input))
            .stdout(Stdio::from(streams.output))
            .stderr(Stdio::from(streams.error));
        // Changing the directory costs a copy of this process; most programs start where it is.
        let here = std::env::current_dir().is_ok_and(|here| here == Path::new(&self.directory));
        if !self.directory.is_empty() && !here {
            command.current_dir(&self.directory);
        }
        if streams.terminal.is_some() {
            // SAFETY: between fork and exec only these two system calls are made.
            unsafe { command.pre_exec(take_terminal) };
        } else {
            command.process_group(0);
        }
        // The kernel tells of every end by itself; nobody waits for this handle.
        let child = command.spawn().map_err(|error| self.explain(&path, &error))?;
        let pid = i32::try_from(child.id()).map_err(|_| Failure::Other(libc::EOVERFLOW))?;
        Ok(Started { pid, terminal: streams.terminal, flows: streams.flows })
    }

    /// The program's file, as a shell would find it.
    fn find(&self) -> Result<PathBuf, Failure> {
        let name = self.arguments.first().filter(|name| !name.is_empty()).ok_or(Failure::Unacceptable)?;
        if name.contains('/') {
            let path = Path::new(&self.directory).join(name);
            return if path.symlink_metadata().is_ok() { Ok(path) } else { Err(Failure::NotFound) };
        }
        let named = self.environment.iter().find(|(variable, _)| variable == "PATH");
        let path = OsString::from(named.map_or(PATH, |(_, value)| value.as_str()));
        let places: Vec<PathBuf> = std::env::split_paths(&path).map(|place| place.join(name)).collect();
        let executable =
            places.iter().find(|place| rustix::fs::access(place.as_path(), rustix::fs::Access::EXEC_OK).is_ok());
        let there = || places.iter().find(|place| place.exists());
        executable.or_else(there).cloned().ok_or(Failure::NotFound)
    }

    fn explain(&self, path: &Path, error: &io::Error) -> Failure {
        let directory = if self.directory.is_empty() { "." } else { &self.directory };
        match error.raw_os_error().unwrap_or(libc::EIO) {
            libc::ENOENT | libc::ENOTDIR if !Path::new(directory).is_dir() => Failure::DirectoryMissing,
            libc::ENOENT if path.exists() => Failure::LoaderMissing,
            code => why(code),
        }
    }
}

/// Refuses what the kernel would refuse, before anybody tries to read it as a shell script.
fn check_format(path: &Path) -> Result<(), Failure> {
    const MACHINE_AT: usize = 18;
    let Ok(mut file) = File::open(path) else { return Ok(()) };
    let mut head = [0; 20];
    let Ok(length) = file.read(&mut head) else { return Ok(()) };
    let head = head.get(..length).unwrap_or_default();
    let machine = head.get(MACHINE_AT..).unwrap_or_default();
    let runs = head.starts_with(b"#!") || head.starts_with(b"\x7fELF") && machine == libc::EM_X86_64.to_le_bytes();
    if runs { Ok(()) } else { Err(Failure::WrongFormat) }
}

fn why(code: i32) -> Failure {
    match code {
        libc::ENOENT | libc::ENOTDIR => Failure::NotFound,
        libc::EACCES | libc::EPERM | libc::EISDIR => Failure::NotExecutable,
        libc::ENOEXEC | libc::ELIBBAD => Failure::WrongFormat,
        libc::EAGAIN => Failure::ProcessesExhausted,
        libc::ENOMEM => Failure::MemoryExhausted,
        code => Failure::Other(code),
    }
}

/// Pipes between the program and the door: they are the box's own, so that the program can
/// open them again by name, and none of them is the door.
fn pipes(door: [OwnedFd; 3]) -> Result<Streams, Errno> {
    let [door_input, door_output, door_error] = door;
    let (input, to_program) = pipe_with(PipeFlags::CLOEXEC)?;
    let (from_program, output) = pipe_with(PipeFlags::CLOEXEC)?;
    let (errors, error) = pipe_with(PipeFlags::CLOEXEC)?;
    let flows = vec![
        Flow { from: door_input, to: to_program },
        Flow { from: from_program, to: door_output },
        Flow { from: errors, to: door_error },
    ];
    Ok(Streams { input, output, error, flows, terminal: None })
}

/// A terminal of the box's own between the program and the door.
fn terminal(door: OwnedFd, rows: u16, columns: u16) -> Result<Streams, Errno> {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    unlockpt(&ours)?;
    rustix::termios::tcsetwinsize(&ours, size(rows, columns))?;
    let theirs = ioctl_tiocgptpeer(&ours, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    let flows = vec![Flow { from: copy(&door)?, to: copy(&ours)? }, Flow { from: copy(&ours)?, to: door }];
    Ok(Streams { input: copy(&theirs)?, output: copy(&theirs)?, error: theirs, flows, terminal: Some(ours) })
}

fn copy(descriptor: &OwnedFd) -> Result<OwnedFd, Errno> {
    rustix::io::fcntl_dupfd_cloexec(descriptor, 3)
}

/// In the new process: a session of its own, with its standard input as the terminal.
fn take_terminal() -> io::Result<()> {
    rustix::process::setsid()?;
    rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(arguments: &[&str]) -> Program {
        Program {
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            environment: Vec::new(),
            directory: String::new(),
            terminal: None,
        }
    }

    #[test]
    fn a_program_is_found_as_a_shell_would() {
        assert!(program(&["sh"]).find().is_ok_and(|path| path.ends_with("bin/sh")));
        assert_eq!(program(&["no-such-program"]).find(), Err(Failure::NotFound));
        assert_eq!(program(&["/no/such"]).find(), Err(Failure::NotFound));
        assert_eq!(program(&[""]).find(), Err(Failure::Unacceptable));
        assert_eq!(program(&[]).find(), Err(Failure::Unacceptable));
    }

    #[test]
    fn streams_that_do_not_fit_the_request_are_refused() {
        let null = File::open("/dev/null").map(OwnedFd::from).into_iter().collect();
        assert!(matches!(program(&["sh"]).start(null), Err(Failure::Unacceptable)));
    }
}
