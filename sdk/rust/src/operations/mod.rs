//! One method per operation of the API, in the order of the table. Nothing else: no method
//! here decides anything.

mod intent;

use aegis_model::agent::Endpoint;
use aegis_model::api::{
    AgentView, CheckpointView, ConsistencyQuery, ConsistencyView, EncryptionKeyRotated, EndpointSet, EntriesQuery,
    FreezeRequest, Identity, IdentityToken, IdentityTokenWish, InvokeRequest, KeyCreate, KeyCreated, LedgerItems,
    LogLines, LogQuery, Page, PageQuery, ProofQuery, ProofView, RotationProposal, RotationSet, RotationValues,
    RunBegun, RunListQuery, SecretRotate, SecretSet, SessionListQuery, TenantCreate, ThawRequest, VersionView,
};
use aegis_model::exec::{EXEC_PROTOCOL, ExecRequest, ExecResult};
use aegis_model::freeze::Freeze;
use aegis_model::key::KeyInfo;
use aegis_model::run::{Mode, Run, RunSummary, SessionView};
use aegis_model::secret::SecretInfo;
use aegis_model::tenant::TenantInfo;
use aegis_model::{AgentName, EndpointName, KeyId, Operation, RunId, SecretName, SessionId, TenantId};

use bytes::Bytes;

use crate::attached::Attached;
use crate::client::Client;
use crate::deployment::Deployment;
use crate::error::ClientError;
use crate::events::{Events, Invoked};
use crate::request::Request;

mod policy;

/// What a call gives.
type Answer<T> = Result<T, ClientError>;

/// Agents and their versions.
impl Client {
    /// Lists the agents.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn agent_list(&self, page: &PageQuery) -> Answer<Page<AgentView>> {
        self.read(Request::of(Operation::AgentList).query(page)).await
    }

    /// Deploys a new version of an agent.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn agent_deploy(&self, deployment: &Deployment) -> Answer<VersionView> {
        let (content_type, body) = deployment.body();
        self.read(Request::of(Operation::AgentDeploy).body(content_type, body)).await
    }

    /// Shows an agent.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn agent_view(&self, name: &AgentName) -> Answer<AgentView> {
        self.read(Request::of(Operation::AgentView).at("name", name)).await
    }

    /// Deletes an agent and its endpoints.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn agent_delete(&self, name: &AgentName) -> Answer<()> {
        self.act(Request::of(Operation::AgentDelete).at("name", name)).await
    }

    /// Lists the versions of an agent, newest first.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn version_list(&self, name: &AgentName, page: &PageQuery) -> Answer<Page<VersionView>> {
        self.read(Request::of(Operation::VersionList).at("name", name).query(page)).await
    }

    /// Shows a version with its manifest and grants.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn version_view(&self, name: &AgentName, version: u64) -> Answer<VersionView> {
        self.read(Request::of(Operation::VersionView).at("name", name).at("version", version)).await
    }

    /// Takes the approval of a version's grants back; what it holds open by them is closed.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn version_revoke(&self, name: &AgentName, version: u64) -> Answer<VersionView> {
        self.read(Request::of(Operation::VersionRevoke).at("name", name).at("version", version)).await
    }

    /// Approves the grants that a version asks for.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn version_approve(&self, name: &AgentName, version: u64) -> Answer<VersionView> {
        self.read(Request::of(Operation::VersionApprove).at("name", name).at("version", version)).await
    }
}

/// Endpoints.
impl Client {
    /// Lists the endpoints of an agent.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn endpoint_list(&self, name: &AgentName, page: &PageQuery) -> Answer<Page<Endpoint>> {
        self.read(Request::of(Operation::EndpointList).at("name", name).query(page)).await
    }

    /// Shows an endpoint.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn endpoint_view(&self, name: &AgentName, endpoint: &EndpointName) -> Answer<Endpoint> {
        self.read(Request::of(Operation::EndpointView).at("name", name).at("endpoint", endpoint)).await
    }

    /// Points an endpoint to a version.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn endpoint_set(&self, name: &AgentName, endpoint: &EndpointName, to: &EndpointSet) -> Answer<Endpoint> {
        self.read(Request::of(Operation::EndpointSet).at("name", name).at("endpoint", endpoint).json(to)).await
    }

    /// Deletes an endpoint.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn endpoint_delete(&self, name: &AgentName, endpoint: &EndpointName) -> Answer<()> {
        self.act(Request::of(Operation::EndpointDelete).at("name", name).at("endpoint", endpoint)).await
    }
}

/// Keys and tenants.
impl Client {
    /// Lists the API keys, without their secrets.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn key_list(&self, page: &PageQuery) -> Answer<Page<KeyInfo>> {
        self.read(Request::of(Operation::KeyList).query(page)).await
    }

    /// Creates an API key; its secret is shown once.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn key_create(&self, key: &KeyCreate) -> Answer<KeyCreated> {
        self.read(Request::of(Operation::KeyCreate).json(key)).await
    }

    /// Revokes an API key at once.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn key_revoke(&self, id: &KeyId) -> Answer<()> {
        self.act(Request::of(Operation::KeyRevoke).at("key_id", id)).await
    }

    /// Seals the tenants' keys under a new key-encryption key, and destroys the one before.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn encryption_key_rotate(&self) -> Answer<EncryptionKeyRotated> {
        self.read(Request::of(Operation::EncryptionKeyRotate)).await
    }

    /// Lists the tenants.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn tenant_list(&self, page: &PageQuery) -> Answer<Page<TenantInfo>> {
        self.read(Request::of(Operation::TenantList).query(page)).await
    }

    /// Creates a tenant.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn tenant_create(&self, tenant: &TenantCreate) -> Answer<TenantInfo> {
        self.read(Request::of(Operation::TenantCreate).json(tenant)).await
    }

    /// Deletes a tenant; its keys stop working at once, its ledger stays.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn tenant_delete(&self, tenant: &TenantId) -> Answer<()> {
        self.act(Request::of(Operation::TenantDelete).at("tenant", tenant)).await
    }
}

/// Secrets.
impl Client {
    /// Lists the secrets, without their values.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn secret_list(&self, page: &PageQuery) -> Answer<Page<SecretInfo>> {
        self.read(Request::of(Operation::SecretList).query(page)).await
    }

    /// Shows a secret and its versions, without a value.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn secret_view(&self, name: &SecretName) -> Answer<SecretInfo> {
        self.read(Request::of(Operation::SecretView).at("name", name)).await
    }

    /// Says who asks, as the server knows it.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn identity_view(&self) -> Answer<Identity> {
        self.read(Request::of(Operation::IdentityView)).await
    }

    /// Issues a token by which a session proves to one other who it is; only in a box.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn identity_token(&self, wish: &IdentityTokenWish) -> Answer<IdentityToken> {
        self.read(Request::of(Operation::IdentityToken).json(wish)).await
    }

    /// Signs the tokens of sessions with a new key from now on.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn identity_key_rotate(&self) -> Answer<()> {
        self.act(Request::of(Operation::IdentityKeyRotate)).await
    }

    /// Sets a secret; what it was before is gone at once.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn secret_set(&self, name: &SecretName, secret: &SecretSet) -> Answer<SecretInfo> {
        self.read(Request::of(Operation::SecretSet).at("name", name).json(secret)).await
    }

    /// Gives a secret a new value, while the one before can still be read.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn secret_rotate(&self, name: &SecretName, secret: &SecretRotate) -> Answer<SecretInfo> {
        self.read(Request::of(Operation::SecretRotate).at("name", name).json(secret)).await
    }

    /// Goes back to the value before the last rotation, while it overlaps.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn secret_rollback(&self, name: &SecretName) -> Answer<SecretInfo> {
        self.read(Request::of(Operation::SecretRollback).at("name", name)).await
    }

    /// Has a program rotate a secret whenever that is due.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn rotation_set(&self, name: &SecretName, rotation: &RotationSet) -> Answer<SecretInfo> {
        self.read(Request::of(Operation::RotationSet).at("name", name).json(rotation)).await
    }

    /// Has the program rotate the secret now.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn rotation_start(&self, name: &SecretName) -> Answer<SecretInfo> {
        self.read(Request::of(Operation::RotationStart).at("name", name)).await
    }

    /// Has no program rotate the secret any more.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn rotation_remove(&self, name: &SecretName) -> Answer<()> {
        self.act(Request::of(Operation::RotationRemove).at("name", name)).await
    }

    /// Gives a rotation program the values that it works with; only in its box.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn rotation_read(&self, name: &SecretName) -> Answer<RotationValues> {
        self.read(Request::of(Operation::RotationRead).at("name", name)).await
    }

    /// Proposes the value that a rotation program made; only in its box.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn rotation_propose(&self, name: &SecretName, proposal: &RotationProposal) -> Answer<()> {
        self.act(Request::of(Operation::RotationPropose).at("name", name).json(proposal)).await
    }

    /// Deletes a secret; its values are gone at once.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn secret_delete(&self, name: &SecretName) -> Answer<()> {
        self.act(Request::of(Operation::SecretDelete).at("name", name)).await
    }
}

/// Ledger.
impl Client {
    /// Signs and shows the head of the tenant's ledger.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn ledger_checkpoint(&self) -> Answer<CheckpointView> {
        self.read(Request::of(Operation::LedgerCheckpoint)).await
    }

    /// Signs checkpoints with a new key; the one before signs along until the next change.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn ledger_key_rotate(&self) -> Answer<()> {
        self.act(Request::of(Operation::LedgerKeyRotate)).await
    }

    /// Reads ledger entries by position.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn ledger_entries(&self, query: &EntriesQuery) -> Answer<LedgerItems> {
        self.read(Request::of(Operation::LedgerEntries).query(query)).await
    }

    /// Proves that an entry is in the ledger.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn ledger_proof(&self, query: &ProofQuery) -> Answer<ProofView> {
        self.read(Request::of(Operation::LedgerProof).query(query)).await
    }

    /// Proves that a later ledger extends an earlier one.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn ledger_consistency(&self, query: &ConsistencyQuery) -> Answer<ConsistencyView> {
        self.read(Request::of(Operation::LedgerConsistency).query(query)).await
    }
}

/// Runs and sessions.
impl Client {
    /// Gives an agent something to do, and waits for its end, unless the request says `async`.
    /// A request that says `stream` is better made by [`Client::agent_invoke_stream`].
    ///
    /// # Errors
    /// See [`ClientError`]; a run that did not succeed has its outcome in `details.outcome`.
    pub async fn agent_invoke(&self, name: &AgentName, request: &InvokeRequest) -> Answer<Invoked> {
        self.read(Request::of(Operation::AgentInvoke).at("name", name).json(request)).await
    }

    /// Gives an agent something to do, and listens to what it says.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn agent_invoke_stream(&self, name: &AgentName, request: &InvokeRequest) -> Answer<Events> {
        let request = InvokeRequest { mode: Mode::Stream, ..request.clone() };
        Events::open(self, Request::of(Operation::AgentInvoke).at("name", name).json(&request)).await
    }

    /// Gives an agent something to do in a session whose missing grants are reported instead of
    /// enforced, and waits for its end, unless the request says `async`. A request that says
    /// `stream` is better made by [`Client::agent_observe_stream`].
    ///
    /// # Errors
    /// See [`ClientError`]; a run that did not succeed has its outcome in `details.outcome`.
    pub async fn agent_observe(&self, name: &AgentName, request: &InvokeRequest) -> Answer<Invoked> {
        self.read(Request::of(Operation::AgentObserve).at("name", name).json(request)).await
    }

    /// The same, and listens to what it says.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn agent_observe_stream(&self, name: &AgentName, request: &InvokeRequest) -> Answer<Events> {
        let request = InvokeRequest { mode: Mode::Stream, ..request.clone() };
        Events::open(self, Request::of(Operation::AgentObserve).at("name", name).json(&request)).await
    }

    /// Lists the runs, newest first.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn run_list(&self, query: &RunListQuery) -> Answer<Page<RunSummary>> {
        self.read(Request::of(Operation::RunList).query(query)).await
    }

    /// Shows a run with its input and its outcome.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn run_view(&self, id: &RunId) -> Answer<Run> {
        self.read(Request::of(Operation::RunView).at("run_id", id)).await
    }

    /// Follows what a run says, from after that event on; 0 for all of it.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn run_events(&self, id: &RunId, after: u64) -> Answer<Events> {
        Events::open(self, Request::of(Operation::RunEvents).at("run_id", id).after(after)).await
    }

    /// Stops a run.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn run_cancel(&self, id: &RunId) -> Answer<Run> {
        self.read(Request::of(Operation::RunCancel).at("run_id", id)).await
    }

    /// Does again what a run did not succeed in; a new run.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn run_retry(&self, id: &RunId) -> Answer<RunBegun> {
        self.read(Request::of(Operation::RunRetry).at("run_id", id)).await
    }

    /// Lists the sessions.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn session_list(&self, query: &SessionListQuery) -> Answer<Page<SessionView>> {
        self.read(Request::of(Operation::SessionList).query(query)).await
    }

    /// Shows a session, and what its box uses.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn session_view(&self, id: &SessionId) -> Answer<SessionView> {
        self.read(Request::of(Operation::SessionView).at("session_id", id)).await
    }

    /// Reads what the agent wrote to its log in a session.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn session_logs(&self, id: &SessionId, query: &LogQuery) -> Answer<LogLines> {
        self.read(Request::of(Operation::SessionLogs).at("session_id", id).query(query)).await
    }

    /// Starts a program in a session's box, and waits for its end.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn session_exec(&self, id: &SessionId, request: &ExecRequest) -> Answer<ExecResult> {
        self.read(Request::of(Operation::SessionExec).at("session_id", id).json(request)).await
    }

    /// Starts a program in a session's box, on a connection of its own.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn session_attach(&self, id: &SessionId, request: &ExecRequest) -> Answer<Attached> {
        let request = Request::of(Operation::SessionExec).at("session_id", id).json(request);
        Attached::open(self, request.switching(EXEC_PROTOCOL)).await
    }

    /// Reads a file below `/workspace` of a session's box.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn session_file_get(&self, id: &SessionId, path: &str) -> Answer<Bytes> {
        self.bytes(Request::of(Operation::SessionFileGet).at("session_id", id).at_path(path)).await
    }

    /// Writes a file below `/workspace` of a session's box.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn session_file_put(&self, id: &SessionId, path: &str, bytes: Bytes, executable: bool) -> Answer<()> {
        let request = Request::of(Operation::SessionFilePut).at("session_id", id).at_path(path);
        self.act(request.body("application/octet-stream".to_owned(), bytes).executable(executable)).await
    }

    /// Ends a session: everything in its box is dead when this answers.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn session_end(&self, id: &SessionId) -> Answer<()> {
        self.act(Request::of(Operation::SessionEnd).at("session_id", id)).await
    }
}

/// The kill switch.
impl Client {
    /// Lists what is frozen.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn freeze_list(&self, page: &PageQuery) -> Answer<Page<Freeze>> {
        self.read(Request::of(Operation::FreezeList).query(page)).await
    }

    /// Freezes everything, a tenant, an agent or a key.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn freeze_set(&self, freeze: &FreezeRequest) -> Answer<Freeze> {
        self.read(Request::of(Operation::FreezeSet).json(freeze)).await
    }

    /// Lifts a freeze.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn freeze_lift(&self, thaw: &ThawRequest) -> Answer<()> {
        self.act(Request::of(Operation::FreezeLift).json(thaw)).await
    }
}
