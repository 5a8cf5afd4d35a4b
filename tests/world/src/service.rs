//! A listener with as many threads as it has connections: one idle thread always waits for
//! the next connection, so that no connection waits for another one, and threads are kept, so
//! that short connections start none. Must not know: what is said on a connection.

use std::collections::HashMap;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fmt, io, thread};

/// Threads that wait for connections although one would do.
const SPARE_WORKERS: usize = 16;
/// Enough for a handshake in a build without optimisation.
const STACK_LENGTH: usize = 512 * 1024;
/// Connections that may wait for a thread; the standard library asks for far fewer.
const BACKLOG: i32 = 4096;
/// After a close every thread ends at once; a thread that does not is left behind.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);
/// A pause after a failed accept, of which there are only passing ones, such as no descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(5);

type Handler = Box<dyn Fn(&TcpStream) + Send + Sync>;

/// A TCP service in the outside world. A clone is the same service. It ends with its world.
#[derive(Clone)]
pub struct Service {
    shared: Arc<Shared>,
}

struct Shared {
    listener: TcpListener,
    address: SocketAddr,
    handler: Handler,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    live: HashMap<usize, Arc<TcpStream>>,
    accepted: usize,
    workers: usize,
    idle: usize,
    closed: bool,
}

/// One connection while it is served; counted as current until this is dropped.
struct Lease<'a> {
    shared: &'a Shared,
    id: usize,
    stream: Arc<TcpStream>,
    wants_successor: bool,
}

/// One thread; counted until this is dropped, also by a panic.
struct Worker(Arc<Shared>);

impl Service {
    /// Serves every connection to `listener` with `handler`, which must return when its
    /// connection fails.
    pub(crate) fn start(
        listener: TcpListener,
        handler: impl Fn(&TcpStream) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        // Listening a second time only widens the queue.
        rustix::net::listen(&listener, BACKLOG)?;
        // Connections inherit it: small answers must not wait for the acknowledgement of
        // earlier ones.
        rustix::net::sockopt::set_tcp_nodelay(&listener, true)?;
        let address = listener.local_addr()?;
        let state = Mutex::new(State { workers: 1, ..State::default() });
        let shared = Arc::new(Shared { listener, address, handler: Box::new(handler), state, changed: Condvar::new() });
        start_worker(Worker(Arc::clone(&shared)));
        Ok(Self { shared })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// How many connections were ever accepted.
    pub fn connections(&self) -> usize {
        self.shared.state().accepted
    }

    /// How many connections are open now.
    pub fn current(&self) -> usize {
        self.shared.state().live.len()
    }

    /// Waits until exactly `count` connections are open; false when that takes longer than
    /// `patience`.
    pub fn wait_for_current(&self, count: usize, patience: Duration) -> bool {
        self.shared.wait_while(patience, |state| state.live.len() != count)
    }

    /// Ends every connection that is open now, as a host does that restarts a program.
    pub fn cut(&self) {
        self.shared.state().cut();
    }

    /// Stops listening and ends every connection: from now on the port refuses.
    pub fn close(&self) {
        let mut state = self.shared.state();
        state.closed = true;
        state.cut();
        drop(state);
        // It fails only when the socket no longer listens, which is what is wanted.
        let _ = rustix::net::shutdown(&self.shared.listener, rustix::net::Shutdown::Both);
        self.shared.wait_while(CLOSE_PATIENCE, |state| state.workers > 0);
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Service({})", self.shared.address)
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while(&self, patience: Duration, mut condition: impl FnMut(&State) -> bool) -> bool {
        let waited = self.changed.wait_timeout_while(self.state(), patience, |state| condition(state));
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// The next connection; none when the service was closed.
    fn next(&self) -> Option<Lease<'_>> {
        loop {
            let mut state = self.state();
            if state.closed {
                return None;
            }
            state.idle += 1;
            drop(state);
            let accepted = self.listener.accept();
            let mut state = self.state();
            state.idle -= 1;
            match accepted {
                _ if state.closed => return None,
                Ok((stream, _)) => return Some(self.lease(&mut state, Arc::new(stream))),
                Err(_) => drop(state),
            }
            thread::sleep(ACCEPT_PAUSE);
        }
    }

    fn lease(&self, state: &mut State, stream: Arc<TcpStream>) -> Lease<'_> {
        let id = state.accepted;
        state.accepted += 1;
        state.live.insert(id, Arc::clone(&stream));
        let wants_successor = state.idle == 0;
        state.workers += usize::from(wants_successor);
        self.changed.notify_all();
        Lease { shared: self, id, stream, wants_successor }
    }

    fn has_spare_workers(&self) -> bool {
        self.state().idle >= SPARE_WORKERS
    }
}

impl State {
    fn cut(&mut self) {
        for stream in self.live.values() {
            // It fails only when the connection has ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.live.remove(&self.id);
        self.shared.changed.notify_all();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.state().workers -= 1;
        self.0.changed.notify_all();
    }
}

fn start_worker(worker: Worker) {
    let work = move || {
        while let Some(lease) = worker.0.next() {
            if lease.wants_successor {
                start_worker(Worker(Arc::clone(&worker.0)));
            }
            (worker.0.handler)(&lease.stream);
            drop(lease);
            if worker.0.has_spare_workers() {
                return;
            }
        }
    };
    thread::Builder::new()
        .name("outside".to_owned())
        .stack_size(STACK_LENGTH)
        .spawn(work)
        .expect("the machine has room for another thread");
}
