//! An outside world for tests and benchmarks: hosts, names and services on addresses of any
//! kind, all in network namespaces that the test made itself, so that no byte leaves the
//! machine. Must not know: anything of the product that is tested against it.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    reason = "a world that cannot be built, or is used wrongly, must fail its test at once and loudly; \
              it starts programs, and its slow answers are slow by the clock"
)]

mod banner;
mod certificates;
mod echo;
mod names;
mod pattern;
mod place;
mod program;
mod relay;
mod secure_web;
mod service;
mod sink;
mod source;
mod web;
mod world;

pub use certificates::Trust;
pub use names::{Answer, Names, Records, Wrong, kind};
pub use pattern::pattern;
pub use program::Program;
pub use secure_web::SecureWeb;
pub use service::Service;
pub use sink::Sink;
pub use web::Web;
pub use world::{EnterError, World};
