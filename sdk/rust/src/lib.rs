//! The Rust client of the Aegis API: one method per operation, named like the operation.
//!
//! Owns how a request is sent, repeated and understood, and how somebody logs in at an issuer of
//! tokens. Must not know: profiles, the environment, files, or how an answer is shown to a person.
//!
//! ```no_run
//! # async fn example() -> Result<(), aegis_sdk::ClientError> {
//! let client = aegis_sdk::Client::new("http://127.0.0.1:7700", "aegis_…")?;
//! let agents = client.agent_list(&Default::default()).await?;
//! # Ok(())
//! # }
//! ```

mod address;
mod attached;
mod client;
mod deployment;
mod error;
mod events;
mod issuer;
mod operations;
mod random;
mod request;
mod retry;
mod transport;

pub use aegis_model as model;
pub use attached::{Attached, Hearing, Saying};
pub use client::{Client, ClientOptions};
pub use deployment::{Deployment, ManifestFormat};
pub use error::ClientError;
pub use events::{Event, Events, Invoked};
pub use issuer::{DeviceLogin, DeviceWish, Issuer, IssuerError, Token, TokenClaims, Tokens};
