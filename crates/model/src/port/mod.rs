//! The ports: one trait per file, in plain domain types. Adapters implement them, domain
//! rooms use them, and only `server` knows which adapter stands behind which port.

mod agent_http;
mod clock;
mod counted;
mod door;
mod entropy;
mod fetch;
mod gate;
mod integrity;
mod key_wrap;
mod logs;
mod objects;
mod rotations;
mod runtime;
mod store;
mod tenant_keys;

pub use agent_http::{AgentHttp, HttpConversation, HttpError, HttpHead, HttpMethod, HttpRequest};
pub use clock::Clock;
pub use counted::Counted;
pub use door::{Door, Occupant, Stay};
pub use entropy::{Entropy, EntropyError};
pub use fetch::{Fetch, FetchError};
pub use gate::Gate;
pub use integrity::Integrity;
pub use key_wrap::{KeyWrap, NoWrappedKey, WrapKeys, WrappedKey};
pub use logs::{LogError, Logs};
pub use objects::{ObjectError, Objects};
pub use rotations::Rotations;
pub use runtime::{
    Answer, ByteSink, ByteSource, ClosedSink, Connection, LiveBox, NameAsker, Opening, Openings, Running, Runtime,
    Steering, Stream, Towards,
};
pub use store::{Store, StoreError, StoreResult};
pub use tenant_keys::{TenantKeys, TenantSecrets};
