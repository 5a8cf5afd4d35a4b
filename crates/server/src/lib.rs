//! Joins everything: one typed configuration, the adapters behind the ports, the listeners,
//! and the order of starting and stopping.
//!
//! Must not hold any rule of the domain.

mod config;
mod data_dir;
mod doctor;
mod door;
mod keys;
mod listen;
mod rotate;
mod run;
mod start_error;
mod sweep;
mod system;
mod telemetry;
mod verify;
mod wire;

pub use aegis_gateway::openapi;
pub use aegis_identity::{NoPassphrase, Passphrase};
pub use config::{Config, ConfigError, UpOptions};
pub use doctor::{CheckState, DoctorCheck, DoctorReport, doctor};
pub use keys::{KeysConfig, asks_passphrase, change_passphrase, read_passphrase};
pub use run::{Ready, run};
pub use start_error::StartError;
pub use verify::{DataReport, verify_data_dir};
