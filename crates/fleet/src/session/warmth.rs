//! Makes sure that the agent of a box that is kept ready is ready too. One that is a server is
//! waited for until it listens, and is given the input that its manifest names for that. One
//! that reads a single input is run once with it, beside the one that waits, so that what both
//! read from disk is in memory.
//!
//! Must not know: who will get the box.

use std::sync::Arc;
use std::time::Duration;

use aegis_model::manifest::Protocol;
use aegis_model::port::{AgentHttp, Clock, ClosedSink, LiveBox};
use aegis_model::{Code, CorrelationId, Fault, SessionId};

use super::http::{self, Lines};
use super::plan::SessionPlan;
use super::speech::{Nobody, Said};
use super::stdio;

/// How agents are spoken to that are servers.
pub(crate) struct Warmer {
    pub http: Arc<dyn AgentHttp>,
    pub clock: Arc<dyn Clock>,
}

impl Warmer {
    /// Warms the agent up.
    ///
    /// # Errors
    /// When it fails, or takes longer than a run of it may.
    pub(super) async fn warm_up(&self, live: &Arc<dyn LiveBox>, plan: &SessionPlan) -> Result<(), Fault> {
        let warming = async {
            match plan.protocol {
                Protocol::Http => self.serve(live, plan).await,
                _ => rehearse(live.as_ref(), plan).await,
            }
        };
        let longest = Duration::from_millis(plan.timeout_ms);
        match tokio::time::timeout(longest, warming).await {
            Ok(warmed) => warmed,
            Err(_) => Err(Fault::new(Code::TimedOut, "the agent was not warm in time")),
        }
    }

    async fn serve(&self, live: &Arc<dyn LiveBox>, plan: &SessionPlan) -> Result<(), Fault> {
        let lines = Lines::new(Arc::clone(live), plan.port, Arc::clone(&self.http), Arc::clone(&self.clock));
        // It belongs to no session and to no request: these are nobody's.
        let (session, correlation_id) =
            (SessionId::generate(self.clock.now(), [0; 10]), CorrelationId::generate(self.clock.now(), [0; 10]));
        let said = plan.warmup.clone().map(|input| Said { input, correlation_id });
        http::warm_up(&lines, said.as_ref().map(|said| (&session, said))).await
    }
}

/// Runs the agent with that input, if there is one, and hears it out.
async fn rehearse(live: &dyn LiveBox, plan: &SessionPlan) -> Result<(), Fault> {
    let Some(input) = plan.warmup.clone() else { return Ok(()) };
    let mut running = live.exec(plan.program.clone()).await?;
    let mut sink = std::mem::replace(&mut running.input, Box::new(ClosedSink));
    // It may answer before it has read everything, or never read at all.
    tokio::spawn(async move { sink.write(input).await });
    stdio::hear_out(running, &Nobody).await.answer.map(|_| ())
}
