//! Boxes that exist in memory only, for tests of what is above the port. They keep every
//! promise of the port but isolation; what runs in them are the suite's agents, played by
//! tasks.
#![expect(clippy::disallowed_methods, reason = "a lifetime and a time limit are waits that are the task itself")]

use std::collections::BTreeMap;
use std::path::{Component, Path};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use aegis_model::boxes::{
    BoxCounts, BoxEnd, BoxError, BoxPlan, BoxSignal, BoxStats, Ending, Exit, FileProblem, Program, TerminalSize,
};
use aegis_model::life::box_cycle::{Event, State};
use aegis_model::manifest::Isolation;
use aegis_model::port::{
    ByteSink, ByteSource, Connection, LiveBox, Opening, Openings, Running, Runtime, Steering, Towards,
};
use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{mpsc, watch};

use super::fake_stream::FakeStream;

/// Pieces that are on their way at most.
const PIECES: usize = 4;

/// Makes boxes that exist in memory only.
#[derive(Default)]
pub struct FakeRuntime {
    alive: Arc<AtomicUsize>,
    closed: AtomicBool,
    boxes: Mutex<Vec<Weak<Core>>>,
}

struct Core {
    state: Mutex<State>,
    end: watch::Sender<Option<BoxEnd>>,
    paused: watch::Sender<bool>,
    files: Mutex<BTreeMap<String, Bytes>>,
    counts: Mutex<BoxStats>,
    alive: Arc<AtomicUsize>,
    /// Servers that listen: each is handed the server's side of every connection.
    servers: Mutex<BTreeMap<u16, mpsc::Sender<Stage>>>,
    connections: Arc<AtomicUsize>,
    /// The box's side of what is opened inside, and the host's until it is taken.
    opened: mpsc::Sender<Opening>,
    openings: Mutex<Option<mpsc::Receiver<Opening>>>,
}

struct FakeBox {
    core: Arc<Core>,
    agent: Mutex<Option<Running>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Runtime for FakeRuntime {
    fn isolation(&self) -> Isolation {
        Isolation::Process
    }

    async fn create(&self, plan: BoxPlan) -> Result<Arc<dyn LiveBox>, BoxError> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(BoxError::NoRoom("the server is stopping".to_owned()));
        }
        let resources = plan.resources;
        if resources.memory_bytes == 0 || resources.pids == 0 || resources.cpu_millis == 0 {
            return Err(BoxError::Unacceptable("it may use nothing".to_owned()));
        }
        let (opened, openings) = mpsc::channel(STREAMS_WAITING);
        let core = Arc::new(Core {
            state: Mutex::new(State::Cold),
            end: watch::Sender::new(None),
            paused: watch::Sender::new(false),
            files: Mutex::default(),
            counts: Mutex::default(),
            alive: Arc::clone(&self.alive),
            servers: Mutex::default(),
            connections: Arc::default(),
            opened,
            openings: Mutex::new(Some(openings)),
        });
        let agent = plan.agent.map(|agent| start(&core, &agent)).transpose()?;
        core.step(Event::Prepared)?;
        self.alive.fetch_add(1, Ordering::Relaxed);
        lock(&self.boxes).push(Arc::downgrade(&core));
        // Whoever closes in between has looked through the boxes already.
        if self.closed.load(Ordering::Relaxed) {
            core.finish(BoxEnd::Killed);
        }
        if resources.lifetime_ms > 0 {
            let core = Arc::clone(&core);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(resources.lifetime_ms)).await;
                core.finish(BoxEnd::Lifetime);
            });
        }
        Ok(Arc::new(FakeBox { core, agent: Mutex::new(agent) }))
    }

    fn counts(&self) -> BoxCounts {
        BoxCounts { alive: self.alive.load(Ordering::Relaxed), ..BoxCounts::default() }
    }

    async fn kill_all(&self) {
        for core in lock(&self.boxes).drain(..).filter_map(|core| core.upgrade()) {
            core.finish(BoxEnd::Killed);
        }
    }

    async fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.kill_all().await;
    }
}

impl Core {
    fn step(&self, event: Event) -> Result<(), BoxError> {
        let mut state = lock(&self.state);
        let (next, _) = state.step(event).map_err(|_| BoxError::State(state.as_str()))?;
        *state = next;
        Ok(())
    }

    fn alive(&self) -> Result<(), BoxError> {
        self.end.borrow().map_or(Ok(()), |end| Err(BoxError::Ended(end)))
    }

    fn finish(&self, end: BoxEnd) -> BoxEnd {
        let first = self.end.send_if_modified(|found| {
            let first = found.is_none();
            found.get_or_insert(end);
            first
        });
        if first {
            let wanted = matches!(end, BoxEnd::Killed | BoxEnd::Stopped);
            let _ = self.step(if wanted { Event::Kill } else { Event::Failed });
            self.alive.fetch_sub(1, Ordering::Relaxed);
        }
        self.end.borrow().unwrap_or(end)
    }
}

impl Drop for FakeBox {
    fn drop(&mut self) {
        self.core.finish(BoxEnd::Killed);
    }
}

#[async_trait]
impl LiveBox for FakeBox {
    fn state(&self) -> State {
        *lock(&self.core.state)
    }

    async fn claim(&self) -> Result<(), BoxError> {
        self.core.alive()?;
        self.core.step(Event::Claimed)
    }

    async fn release(&self) -> Result<(), BoxError> {
        self.core.alive()?;
        self.core.step(Event::Released)
    }

    async fn invoke(&self, input: Bytes) -> Result<Running, BoxError> {
        self.core.alive()?;
        if self.state() != State::Hot {
            return Err(BoxError::State("not claimed"));
        }
        let agent = lock(&self.agent).take();
        let mut running = agent.ok_or(BoxError::State("without an agent that waits"))?;
        let mut sink = std::mem::replace(&mut running.input, Box::new(Sink(None)));
        tokio::spawn(async move { sink.write(input).await });
        Ok(running)
    }

    async fn exec(&self, program: Program) -> Result<Running, BoxError> {
        self.core.alive()?;
        start(&self.core, &program)
    }

    async fn connect(&self, port: u16) -> Result<Connection, BoxError> {
        self.core.alive()?;
        let refused = || BoxError::NotListening(port);
        let server = lock(&self.core.servers).get(&port).cloned().ok_or_else(refused)?;
        let place = Connected::new(&self.core).ok_or_else(|| BoxError::NoRoom("too many connections".to_owned()))?;
        let (to_server, input) = mpsc::channel(PIECES);
        let (output, from_server) = mpsc::channel(PIECES);
        let stage = Stage { input, output, core: Arc::clone(&self.core) };
        server.send(stage).await.map_err(|_| refused())?;
        let input = Box::new(Sink(Some((to_server, Arc::clone(&self.core)))));
        Ok(Connection { input, output: Box::new(Heard(Source(Some(from_server), Arc::clone(&self.core)), place)) })
    }

    fn openings(&self) -> Option<Box<dyn Openings>> {
        let streams = lock(&self.core.openings).take()?;
        Some(Box::new(Streams { streams, end: self.core.end.subscribe() }))
    }

    async fn file_put(&self, path: &str, bytes: Bytes, _executable: bool) -> Result<(), BoxError> {
        self.core.alive()?;
        lock(&self.core.files).insert(beneath(path)?, bytes);
        Ok(())
    }

    async fn file_get(&self, path: &str, bytes_max: u64) -> Result<Bytes, BoxError> {
        self.core.alive()?;
        let found = lock(&self.core.files).get(&beneath(path)?).cloned();
        let bytes = found.ok_or_else(|| file(path, "does not exist", FileProblem::Missing))?;
        let fits = u64::try_from(bytes.len()).is_ok_and(|length| length <= bytes_max);
        if fits { Ok(bytes) } else { Err(file(path, "is larger than allowed", FileProblem::NoRoom)) }
    }

    async fn stats(&self) -> Result<BoxStats, BoxError> {
        self.core.alive()?;
        Ok(*lock(&self.core.counts))
    }

    async fn pause(&self) -> Result<(), BoxError> {
        self.core.alive()?;
        self.core.paused.send_replace(true);
        Ok(())
    }

    async fn resume(&self) -> Result<(), BoxError> {
        self.core.alive()?;
        self.core.paused.send_replace(false);
        Ok(())
    }

    async fn stop(&self, _grace_ms: u64) -> BoxEnd {
        self.core.finish(BoxEnd::Stopped)
    }

    async fn kill(&self) -> BoxEnd {
        self.core.finish(BoxEnd::Killed)
    }

    async fn ended(&self) -> BoxEnd {
        let mut end = self.core.end.subscribe();
        let found = end.wait_for(Option::is_some).await.map(|end| *end);
        found.ok().flatten().unwrap_or(BoxEnd::Crashed)
    }
}

fn file(path: &str, reason: &'static str, problem: FileProblem) -> BoxError {
    BoxError::File { path: path.to_owned(), reason, problem }
}

fn beneath(path: &str) -> Result<String, BoxError> {
    let inside = |part: Component<'_>| matches!(part, Component::Normal(_));
    let refused = path.is_empty() || !Path::new(path).components().all(inside);
    if refused { Err(file(path, "leads out of the workspace", FileProblem::Refused)) } else { Ok(path.to_owned()) }
}

/// Streams that wait to be served.
const STREAMS_WAITING: usize = 64;

/// What is opened inside, for as long as the box lives.
struct Streams {
    streams: mpsc::Receiver<Opening>,
    end: watch::Receiver<Option<BoxEnd>>,
}

#[async_trait]
impl Openings for Streams {
    async fn next(&mut self) -> Option<Opening> {
        tokio::select! {
            stream = self.streams.recv() => stream,
            _ = self.end.wait_for(Option::is_some) => None,
        }
    }
}

/// The most connections into a box.
const CONNECTIONS_MAX: usize = 256;

/// A connection that is open, until this is dropped.
struct Connected(Arc<AtomicUsize>);

impl Connected {
    fn new(core: &Core) -> Option<Self> {
        let before = core.connections.fetch_add(1, Ordering::Relaxed);
        let connected = Self(Arc::clone(&core.connections));
        (before < CONNECTIONS_MAX).then_some(connected)
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a server says, for as long as its box lives.
struct Heard(Source, #[expect(dead_code, reason = "held for as long as the connection")] Connected);

#[async_trait]
impl ByteSource for Heard {
    async fn read(&mut self) -> Result<Option<Bytes>, BoxError> {
        let mut end = self.0.1.end.subscribe();
        tokio::select! {
            read = self.0.read() => read,
            _ = end.wait_for(Option::is_some) => Ok(None),
        }
    }
}

/// What an agent that is played has.
struct Stage {
    input: mpsc::Receiver<Bytes>,
    output: mpsc::Sender<Bytes>,
    core: Arc<Core>,
}

struct Source(Option<mpsc::Receiver<Bytes>>, Arc<Core>);

struct Sink(Option<(mpsc::Sender<Bytes>, Arc<Core>)>);

struct Steered {
    signals: mpsc::Sender<u8>,
    ending: watch::Receiver<Option<Ending>>,
}

fn start(core: &Arc<Core>, program: &Program) -> Result<Running, BoxError> {
    let words: Vec<String> = program.arguments.clone();
    let name = words.first().cloned().unwrap_or_default();
    if name != "/app/attacks" {
        return Err(BoxError::StartFailed { program: name, reason: "does not exist in the box" });
    }
    let (to_agent, input) = mpsc::channel(PIECES);
    let (output, from_agent) = mpsc::channel(PIECES);
    let (signals, signalled) = mpsc::channel(PIECES);
    let (told, ending) = watch::channel(None);
    let stage = Stage { input, output, core: Arc::clone(core) };
    let timeout_ms = program.timeout_ms;
    tokio::spawn(async move {
        let end = stage.core.end.subscribe();
        let exit = play(stage, words, signalled, end, timeout_ms).await;
        told.send_replace(Some(Ending { exit, cpu_us: 1, memory_peak_bytes: 1 }));
    });
    Ok(Running {
        input: Box::new(Sink(Some((to_agent, Arc::clone(core))))),
        output: Box::new(Source(Some(from_agent), Arc::clone(core))),
        errors: Box::new(Source(None, Arc::clone(core))),
        steering: Arc::new(Steered { signals, ending }),
    })
}

async fn play(
    stage: Stage,
    words: Vec<String>,
    mut signals: mpsc::Receiver<u8>,
    mut end: watch::Receiver<Option<BoxEnd>>,
    timeout_ms: u64,
) -> Exit {
    let stubborn = words.get(2).is_some_and(|name| name == "ignore-term");
    let timeout = if timeout_ms == 0 { Duration::from_secs(86_400) } else { Duration::from_millis(timeout_ms) };
    let signalled = async {
        while let Some(signal) = signals.recv().await {
            if signal == 9 || !stubborn {
                return signal;
            }
        }
        std::future::pending().await
    };
    tokio::select! {
        exit = act(stage, words) => exit,
        signal = signalled => Exit::Signal(signal),
        () = tokio::time::sleep(timeout) => Exit::TimedOut,
        ended = end.wait_for(Option::is_some) => {
            Exit::BoxEnded(ended.ok().and_then(|end| *end).unwrap_or(BoxEnd::Crashed))
        }
    }
}

/// Plays one of the suite's agents.
async fn act(mut stage: Stage, words: Vec<String>) -> Exit {
    let word = |index: usize| words.get(index).map_or("", String::as_str);
    match word(2) {
        "exit" => return Exit::Code(word(3).parse().unwrap_or(1)),
        "signal" => return Exit::Signal(word(3).parse().unwrap_or(1)),
        "answer" => {
            while stage.input.recv().await.is_some() {}
            let _ = stage.output.send(Bytes::from_static(b"{\"ok\":true}\n")).await;
        }
        "echo" => {
            let mut paused = stage.core.paused.subscribe();
            while let Some(bytes) = stage.input.recv().await {
                let _ = paused.wait_for(|paused| !paused).await;
                let _ = stage.output.send(bytes).await;
            }
        }
        "idle" => {
            let _ = stage.output.send(Bytes::from_static(b"ready\n")).await;
            while stage.input.recv().await.is_some() {}
        }
        "ignore-term" => {
            let _ = stage.output.send(Bytes::from_static(b"ready\n")).await;
            std::future::pending::<()>().await;
        }
        "never-read" => std::future::pending::<()>().await,
        "close-streams" => {
            let Stage { input, output, .. } = stage;
            drop((input, output));
            std::future::pending::<()>().await;
        }
        "tcp-speak" => speak(stage).await,
        "tcp-echo" => listen(stage, word(3).parse().unwrap_or_default()).await,
        "print-forever" => while stage.output.send(Bytes::from(vec![b'x'; 4_096])).await.is_ok() {},
        "daemonise" => {
            let _ = stage.output.send(Bytes::from_static(b"done\n")).await;
        }
        _ => {}
    }
    Exit::Code(0)
}

/// Opens a stream to the API: says there what it is told, and tells what it hears there.
async fn speak(stage: Stage) {
    let Stage { mut input, output, core } = stage;
    let (host, inside) = tokio::io::duplex(64 * 1024);
    let stream = Arc::new(FakeStream(Mutex::new(host)));
    if core.opened.try_send(Opening::Stream { towards: Towards::Api, stream }).is_err() {
        return;
    }
    let (mut hears, mut says) = tokio::io::split(inside);
    let saying = async move {
        while let Some(bytes) = input.recv().await {
            let _ = says.write_all(&bytes).await;
        }
        let _ = says.shutdown().await;
    };
    let hearing = async move {
        let mut piece = vec![0; 4_096];
        while let Ok(length @ 1..) = hears.read(&mut piece).await {
            let _ = output.send(Bytes::copy_from_slice(piece.get(..length).unwrap_or_default())).await;
        }
    };
    tokio::join!(saying, hearing);
}

/// Serves connections until it is ended; they end with it.
async fn listen(stage: Stage, port: u16) {
    let (server, mut connections) = mpsc::channel(PIECES);
    let _listening = Listening(Arc::clone(&stage.core), port);
    lock(&stage.core.servers).insert(port, server);
    let _ = stage.output.send(Bytes::from_static(b"ready\n")).await;
    let mut served = tokio::task::JoinSet::new();
    while let Some(Stage { mut input, output, .. }) = connections.recv().await {
        served.spawn(async move {
            while let Some(bytes) = input.recv().await {
                if output.send(bytes).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// A server that listens, until this is dropped.
struct Listening(Arc<Core>, u16);

impl Drop for Listening {
    fn drop(&mut self) {
        lock(&self.0.servers).remove(&self.1);
    }
}

#[async_trait]
impl ByteSource for Source {
    async fn read(&mut self) -> Result<Option<Bytes>, BoxError> {
        let Some(pieces) = &mut self.0 else { return Ok(None) };
        let piece = pieces.recv().await;
        let length = piece.as_ref().map_or(0, Bytes::len);
        lock(&self.1.counts).door_out_bytes += u64::try_from(length).unwrap_or_default();
        Ok(piece)
    }
}

#[async_trait]
impl ByteSink for Sink {
    async fn write(&mut self, bytes: Bytes) -> Result<(), BoxError> {
        let Some((pieces, core)) = &self.0 else { return Err(BoxError::State("not reading any more")) };
        let length = u64::try_from(bytes.len()).unwrap_or_default();
        pieces.send(bytes).await.map_err(|_| BoxError::State("not reading any more"))?;
        lock(&core.counts).door_in_bytes += length;
        Ok(())
    }
}

#[async_trait]
impl Steering for Steered {
    async fn signal(&self, signal: BoxSignal) -> Result<(), BoxError> {
        let number = match signal {
            BoxSignal::HangUp => 1,
            BoxSignal::Interrupt => 2,
            BoxSignal::Quit => 3,
            BoxSignal::Kill => 9,
            BoxSignal::User1 => 10,
            BoxSignal::User2 => 12,
            BoxSignal::Terminate => 15,
        };
        self.signals.send(number).await.map_err(|_| BoxError::State("not listening any more"))
    }

    async fn resize(&self, _size: TerminalSize) -> Result<(), BoxError> {
        Ok(())
    }

    async fn ending(&self) -> Ending {
        let mut ending = self.ending.clone();
        let found = ending.wait_for(Option::is_some).await.map(|ending| *ending);
        let lost = Ending { exit: Exit::BoxEnded(BoxEnd::Crashed), cpu_us: 0, memory_peak_bytes: 0 };
        found.ok().flatten().unwrap_or(lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_fake_keeps_the_promises_of_the_port() {
        let subject = super::super::Subject { runtime: Arc::new(FakeRuntime::default()), code: "/nowhere".into() };
        super::super::suite(subject).await;
    }
}
