//! The operations about intents and what governs them. No method here decides anything; it must
//! not know more than where each operation is.

use aegis_model::Operation;
use aegis_model::api::{DispatchRequest, Dispatched, IntentSet, Page, PageQuery};
use aegis_model::governance::GovernanceRecord;
use aegis_model::intent::Intent;

use super::Answer;
use crate::client::Client;
use crate::request::Request;

/// Intents, and what governs them.
impl Client {
    /// Asks for an intent, and waits for what becomes of it.
    ///
    /// # Errors
    /// See [`ClientError`](crate::ClientError).
    pub async fn dispatch(&self, request: &DispatchRequest) -> Answer<Dispatched> {
        self.read(Request::of(Operation::Dispatch).json(request)).await
    }

    /// Lists the intents.
    ///
    /// # Errors
    /// See [`ClientError`](crate::ClientError).
    pub async fn intent_list(&self, page: &PageQuery) -> Answer<Page<Intent>> {
        self.read(Request::of(Operation::IntentList).query(page)).await
    }

    /// Shows an intent.
    ///
    /// # Errors
    /// See [`ClientError`](crate::ClientError).
    pub async fn intent_view(&self, service: &str, intent: &str) -> Answer<Intent> {
        self.read(Request::of(Operation::IntentView).at("service", service).at("intent", intent)).await
    }

    /// Registers an intent, or changes what does it.
    ///
    /// # Errors
    /// See [`ClientError`](crate::ClientError).
    pub async fn intent_set(&self, service: &str, intent: &str, set: &IntentSet) -> Answer<Intent> {
        self.read(Request::of(Operation::IntentSet).at("service", service).at("intent", intent).json(set)).await
    }

    /// Forgets an intent.
    ///
    /// # Errors
    /// See [`ClientError`](crate::ClientError).
    pub async fn intent_delete(&self, service: &str, intent: &str) -> Answer<()> {
        self.act(Request::of(Operation::IntentDelete).at("service", service).at("intent", intent)).await
    }

    /// Lists the governance records.
    ///
    /// # Errors
    /// See [`ClientError`](crate::ClientError).
    pub async fn governance_list(&self, page: &PageQuery) -> Answer<Page<GovernanceRecord>> {
        self.read(Request::of(Operation::GovernanceList).query(page)).await
    }

    /// Shows the record that governs an intent.
    ///
    /// # Errors
    /// See [`ClientError`](crate::ClientError).
    pub async fn governance_view(&self, service: &str, intent: &str) -> Answer<GovernanceRecord> {
        self.read(Request::of(Operation::GovernanceView).at("service", service).at("intent", intent)).await
    }

    /// Sets the record that governs an intent, which it names itself.
    ///
    /// # Errors
    /// See [`ClientError`](crate::ClientError).
    pub async fn governance_set(&self, record: &GovernanceRecord) -> Answer<GovernanceRecord> {
        let request = Request::of(Operation::GovernanceSet);
        self.read(request.at("service", &record.service).at("intent", &record.intent).json(record)).await
    }

    /// Deletes the record that governs an intent.
    ///
    /// # Errors
    /// See [`ClientError`](crate::ClientError).
    pub async fn governance_delete(&self, service: &str, intent: &str) -> Answer<()> {
        self.act(Request::of(Operation::GovernanceDelete).at("service", service).at("intent", intent)).await
    }
}
