//! The adapter of `AgentHttp` against its suite.

use aegis_adapters::agent_http::HyperHttp;

#[tokio::test]
async fn hyper_keeps_the_promises_of_the_port() {
    aegis_conformance::agent_http::suite(&HyperHttp).await;
}
