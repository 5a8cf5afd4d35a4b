//! The handle of a box.

use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aegis_door::{FRAME_BYTES_MAX, ToGuest};
use aegis_model::boxes::{BoxEnd, BoxError, BoxSignal, BoxStats, Ending, Exit, Program, TerminalSize};
use aegis_model::life::box_cycle::{Event, State};
use aegis_model::port::{ByteSink, ByteSource, Connection, LiveBox, Openings, Running, Steering};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use tokio::sync::watch;

use super::connection;
use super::plan;
use super::shared::{Progress, Shared};
use super::streams::{Sink, Source, pair, split};

/// Programs that run in a box at a time because the host asked for them.
const PROGRAMS_MAX: usize = 64;

/// How long after its grace time a box is waited for before it is killed.
const STOP_MARGIN: Duration = Duration::from_millis(200);

/// How long freezing may take.
const FREEZE_TRIES: usize = 1_000;
const FREEZE_AGAIN: Duration = Duration::from_millis(1);

/// The handle of a box. When the last one is dropped, the box is killed.
pub struct ProcessBox {
    shared: Arc<Shared>,
    agent: Mutex<Option<Running>>,
}

impl Drop for ProcessBox {
    fn drop(&mut self) {
        self.shared.intend(BoxEnd::Killed);
        self.shared.kill_now();
    }
}

/// A program that was asked for, before it is known whether it starts.
pub struct Asked {
    /// The request.
    pub message: ToGuest,
    /// What goes beside it.
    pub beside: Vec<OwnedFd>,
    running: Running,
    progress: watch::Receiver<Progress>,
    program: Program,
    process: u32,
}

/// Prepares everything for starting a program.
pub fn ask(shared: &Arc<Shared>, program: Program) -> Result<Asked, BoxError> {
    let process = shared.number();
    let message = plan::start(process, &program);
    if aegis_door::encode(&message).is_err() {
        return Err(BoxError::Unacceptable(format!("arguments and variables are longer than {FRAME_BYTES_MAX} bytes")));
    }
    let no_room = |error: std::io::Error| BoxError::NoRoom(error.to_string());
    let (input, output, errors, beside): (Sink, Source, Source, Vec<OwnedFd>);
    if program.terminal.is_some() {
        let (ours, theirs) = pair().map_err(no_room)?;
        (output, input) = split(ours, &shared.counts);
        (errors, beside) = (Source::empty(), vec![theirs]);
    } else {
        let (in_ours, in_theirs) = pair().map_err(no_room)?;
        let (out_ours, out_theirs) = pair().map_err(no_room)?;
        let (error_ours, error_theirs) = pair().map_err(no_room)?;
        (_, input) = split(in_ours, &shared.counts);
        (output, _) = split(out_ours, &shared.counts);
        (errors, _) = split(error_ours, &shared.counts);
        beside = vec![in_theirs, out_theirs, error_theirs];
    }
    let progress = shared.expect_program(process);
    let steering = Arc::new(Steered { shared: Arc::clone(shared), process, progress: progress.clone() });
    let running = Running { input: Box::new(input), output: Box::new(output), errors: Box::new(errors), steering };
    Ok(Asked { message, beside, running, progress, program, process })
}

impl Asked {
    /// Whether it is known whether it starts.
    pub fn is_answered(&self) -> bool {
        *self.progress.borrow() != Progress::Asked
    }

    /// Waits until it is known whether it runs, and why not.
    pub async fn started(mut self) -> Result<Running, BoxError> {
        let progress = self.progress.wait_for(|progress| *progress != Progress::Asked).await.map(|found| *found);
        match progress {
            Ok(Progress::Failed(failure)) => Err(plan::start_failed(&self.program, failure)),
            Ok(Progress::Ended(Ending { exit: Exit::BoxEnded(end), .. })) => Err(BoxError::Ended(end)),
            Ok(_) => Ok(self.running),
            Err(_) => Err(BoxError::Ended(BoxEnd::Crashed)),
        }
    }
}

impl ProcessBox {
    /// The handle of that box, with its agent if one waits.
    pub fn new(shared: Arc<Shared>, agent: Option<Running>) -> Self {
        Self { shared, agent: Mutex::new(agent) }
    }

    /// Asks the guest something, under that number.
    async fn say(&self, number: u32, message: &ToGuest, beside: &[OwnedFd]) -> Result<(), BoxError> {
        let beside: Vec<BorrowedFd<'_>> = beside.iter().map(AsFd::as_fd).collect();
        let Err(error) = self.shared.channel.say(message, &beside).await else { return Ok(()) };
        self.shared.take_back(number);
        match error.kind() {
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::NotConnected => {
                Err(BoxError::Ended(self.ended().await))
            }
            _ => Err(BoxError::NoRoom(error.to_string())),
        }
    }

    fn alive(&self) -> Result<(), BoxError> {
        match *self.shared.end.borrow() {
            Some(end) => Err(BoxError::Ended(end)),
            None => Ok(()),
        }
    }

    /// Does a piece of work with a stream beside it.
    async fn work<F, T>(&self, path: &str, message: impl FnOnce(u32) -> ToGuest, transfer: F) -> Result<T, BoxError>
    where
        F: AsyncFnOnce(Source, Sink) -> Result<T, BoxError>,
    {
        self.alive()?;
        let (ours, theirs) = pair().map_err(|error| BoxError::NoRoom(error.to_string()))?;
        let job = self.shared.number();
        let done = self.shared.expect_job(job);
        self.say(job, &message(job), &[theirs]).await?;
        let (source, sink) = split(ours, &self.shared.counts);
        let moved = transfer(source, sink).await;
        match done.await {
            Ok(None) => moved,
            Ok(Some(failure)) => Err(plan::file_failed(path, failure)),
            Err(_) => Err(BoxError::Ended(self.ended().await)),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "nobody tells when everything is frozen")]
    async fn freeze(&self, frozen: bool) -> Result<(), BoxError> {
        self.alive()?;
        let failed = |reason: String| BoxError::SetupFailed { step: "pausing".to_owned(), reason };
        self.shared.cgroup.freeze(frozen).map_err(|error| failed(error.to_string()))?;
        for _ in 0..FREEZE_TRIES {
            if self.shared.cgroup.is_frozen() == frozen {
                return Ok(());
            }
            tokio::time::sleep(FREEZE_AGAIN).await;
        }
        Err(failed("it takes too long".to_owned()))
    }
}

#[async_trait]
impl LiveBox for ProcessBox {
    fn state(&self) -> State {
        self.shared.state()
    }

    async fn claim(&self) -> Result<(), BoxError> {
        self.alive()?;
        self.shared.step(Event::Claimed).map(|_| ())
    }

    async fn release(&self) -> Result<(), BoxError> {
        self.alive()?;
        self.shared.step(Event::Released).map(|_| ())
    }

    async fn invoke(&self, input: Bytes) -> Result<Running, BoxError> {
        self.alive()?;
        if self.shared.state() != State::Hot {
            return Err(BoxError::State("not claimed"));
        }
        let agent = self.agent.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut running) = agent else { return Err(BoxError::State("without an agent that waits")) };
        let mut sink = std::mem::replace(&mut running.input, Box::new(Sink::closed()));
        // An agent may answer before it has read everything, or never read at all.
        tokio::spawn(async move { sink.write(input).await });
        Ok(running)
    }

    async fn exec(&self, program: Program) -> Result<Running, BoxError> {
        self.alive()?;
        if self.shared.programs() >= PROGRAMS_MAX {
            return Err(BoxError::NoRoom(format!("{PROGRAMS_MAX} programs run in it already")));
        }
        let mut asked = ask(&self.shared, program)?;
        let beside = std::mem::take(&mut asked.beside);
        self.say(asked.process, &asked.message, &beside).await?;
        drop(beside);
        asked.started().await
    }

    async fn connect(&self, port: u16) -> Result<Connection, BoxError> {
        self.alive()?;
        let too_many = || BoxError::NoRoom("as many connections into it are open as may be".to_owned());
        let place = self.shared.connections.take().ok_or_else(too_many)?;
        let job = self.shared.number();
        let handed = self.shared.expect_connection(job);
        self.say(job, &ToGuest::Connect { job, port }, &[]).await?;
        let opened = match handed.await {
            Ok(Ok(socket)) => connection::open(socket, &self.shared.counts, place).await.map(Connection::of),
            Ok(Err(errno)) => Err(std::io::Error::from_raw_os_error(errno)),
            Err(_) => return Err(BoxError::Ended(self.ended().await)),
        };
        opened.map_err(|error| match error.kind() {
            ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => BoxError::NotListening(port),
            _ => BoxError::NoRoom(error.to_string()),
        })
    }

    fn openings(&self) -> Option<Box<dyn Openings>> {
        self.shared.opened.take(&self.shared)
    }

    async fn file_put(&self, path: &str, bytes: Bytes, executable: bool) -> Result<(), BoxError> {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let message = |job| ToGuest::Write { job, path: path.to_owned(), bytes: length, executable };
        self.work(path, message, async |_, mut sink: Sink| {
            // If it is refused half-way, the guest says why.
            let _ = sink.write(bytes).await;
            Ok(())
        })
        .await
    }

    async fn file_get(&self, path: &str, bytes_max: u64) -> Result<Bytes, BoxError> {
        let message = |job| ToGuest::Read { job, path: path.to_owned(), bytes_max };
        self.work(path, message, async |mut source: Source, _| {
            let mut whole = BytesMut::new();
            while let Some(piece) = source.read().await? {
                whole.extend_from_slice(&piece);
                // The guest counts too; this side does not rely on it.
                if u64::try_from(whole.len()).unwrap_or(u64::MAX) > bytes_max {
                    return Err(plan::file_failed(path, aegis_door::FileFailure::TooLarge));
                }
            }
            Ok(whole.freeze())
        })
        .await
    }

    async fn stats(&self) -> Result<BoxStats, BoxError> {
        self.alive()?;
        let used = self.shared.cgroup.used();
        Ok(BoxStats {
            cpu_us: used.cpu_us,
            memory_bytes: used.memory_bytes,
            memory_peak_bytes: used.memory_peak_bytes,
            pids: used.pids,
            disk_bytes: self.shared.disk_bytes(),
            door_in_bytes: self.shared.counts.inward.load(Ordering::Relaxed),
            door_out_bytes: self.shared.counts.outward.load(Ordering::Relaxed),
            out_of_memory: used.out_of_memory,
        })
    }

    async fn pause(&self) -> Result<(), BoxError> {
        self.freeze(true).await
    }

    async fn resume(&self) -> Result<(), BoxError> {
        self.freeze(false).await
    }

    async fn stop(&self, grace_ms: u64) -> BoxEnd {
        self.shared.intend(BoxEnd::Stopped);
        let _ = self.shared.cgroup.freeze(false);
        let patience = Duration::from_millis(grace_ms) + STOP_MARGIN;
        // A guest that does not listen makes us wait with saying it, too.
        let ending = async {
            let _ = self.shared.channel.say(&ToGuest::Shutdown { grace_ms }, &[]).await;
            self.ended().await
        };
        match tokio::time::timeout(patience, ending).await {
            Ok(end) => end,
            Err(_) => self.kill().await,
        }
    }

    async fn kill(&self) -> BoxEnd {
        self.shared.intend(BoxEnd::Killed);
        self.shared.kill_now();
        self.ended().await
    }

    async fn ended(&self) -> BoxEnd {
        let mut end = self.shared.end.subscribe();
        let found = end.wait_for(Option::is_some).await.map(|end| *end);
        found.ok().flatten().unwrap_or(BoxEnd::Crashed)
    }
}

/// Steers a program through its box's door.
struct Steered {
    shared: Arc<Shared>,
    process: u32,
    progress: watch::Receiver<Progress>,
}

impl Steered {
    async fn say(&self, message: ToGuest) -> Result<(), BoxError> {
        let gone = |_| BoxError::State("not listening any more");
        self.shared.channel.say(&message, &[]).await.map_err(gone)
    }
}

#[async_trait]
impl Steering for Steered {
    async fn signal(&self, signal: BoxSignal) -> Result<(), BoxError> {
        self.say(ToGuest::Signal { process: self.process, signal: plan::signal_number(signal) }).await
    }

    async fn resize(&self, size: TerminalSize) -> Result<(), BoxError> {
        self.say(ToGuest::Resize { process: self.process, rows: size.rows, columns: size.columns }).await
    }

    async fn ending(&self) -> Ending {
        let mut progress = self.progress.clone();
        let ended = |progress: &Progress| matches!(progress, Progress::Ended(_));
        match progress.wait_for(ended).await.map(|found| *found) {
            Ok(Progress::Ended(ending)) => ending,
            _ => Ending { exit: Exit::BoxEnded(BoxEnd::Crashed), cpu_us: 0, memory_peak_bytes: 0 },
        }
    }
}
