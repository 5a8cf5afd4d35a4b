//! Starting guests. One thread does it for the whole life of the server: a box dies with the
//! thread that started it, so that thread must not come and go. The guest is a file in
//! memory that nobody can write to.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use rustix::fs::{MemfdFlags, SealFlags};
use tokio::sync::oneshot;

/// The guest, as it was built for this server.
const GUEST: &[u8] = include_bytes!(env!("AEGIS_GUEST"));

/// Requests that wait.
const WAITING_MAX: usize = 1_024;

struct Request {
    control: OwnedFd,
    answer: oneshot::Sender<io::Result<Child>>,
}

/// The program that is started in each box.
struct Guest {
    path: String,
    arguments: Vec<String>,
    /// What is there under that path, for as long as it is started.
    _file: Option<File>,
}

/// The thread that starts guests.
#[derive(Clone, Debug)]
pub struct Spawner {
    requests: Arc<SyncSender<Request>>,
}

impl Spawner {
    /// Starts the thread.
    pub fn start() -> io::Result<Self> {
        let file = guest()?;
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        Self::start_with(Guest { path, arguments: Vec::new(), _file: Some(file) })
    }

    /// Starts the thread for another program than the guest.
    #[cfg(test)]
    pub fn start_another(path: String, arguments: Vec<String>) -> io::Result<Self> {
        Self::start_with(Guest { path, arguments, _file: None })
    }

    fn start_with(guest: Guest) -> io::Result<Self> {
        let (requests, taken) = sync_channel(WAITING_MAX);
        std::thread::Builder::new().name("box-spawner".to_owned()).spawn(move || serve(&guest, &taken))?;
        Ok(Self { requests: Arc::new(requests) })
    }

    /// Starts a guest at the other end of a control stream.
    pub async fn spawn(&self, control: OwnedFd) -> io::Result<Child> {
        let (answer, answered) = oneshot::channel();
        let full = || io::Error::new(io::ErrorKind::WouldBlock, "too many boxes are being made");
        self.requests.try_send(Request { control, answer }).map_err(|_| full())?;
        answered.await.map_err(|_| io::Error::other("the spawner is gone"))?
    }
}

fn serve(guest: &Guest, requests: &Receiver<Request>) {
    while let Ok(Request { control, answer }) = requests.recv() {
        let started = start(guest, control);
        // Whoever asked may be gone; the guest then ends by itself, its stream being closed.
        if let Err(Ok(mut child)) = answer.send(started) {
            let _ = child.wait();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the spawner of boxes")]
fn start(guest: &Guest, control: OwnedFd) -> io::Result<Child> {
    let mut command = Command::new(&guest.path);
    command.args(&guest.arguments).env_clear().stdin(Stdio::from(control)).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn()
}

/// The guest as a sealed file in memory. Every box shares its pages.
fn guest() -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let made = match rustix::fs::memfd_create("aegis-guest", flags | MemfdFlags::EXEC) {
        // Kernels before 6.3 know no such flag, and every such file can be executed.
        Err(rustix::io::Errno::INVAL) => rustix::fs::memfd_create("aegis-guest", flags),
        other => other,
    };
    let mut file = File::from(made?);
    file.write_all(GUEST)?;
    rustix::fs::fcntl_add_seals(&file, SealFlags::SEAL | SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK)?;
    Ok(file)
}
