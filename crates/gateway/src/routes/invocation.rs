//! `/agents/{name}/invocations` and `/observations`: give an agent something to do; in a session
//! that is observed, for those who may say so.

use aegis_dispatch::run::fault;
use aegis_model::api::{InvokeRequest, RunBegun};
use aegis_model::run::{Mode, Run};
use aegis_model::{AgentName, Code, Fault, Operation, Outcome};

use crate::call::Call;
use crate::events;
use crate::reply::Reply;
use crate::route::Route;

/// The routes of this resource.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Operation::AgentInvoke, |call| Box::pin(invoke(call)))
            .takes::<InvokeRequest>()
            .answers::<Outcome>(200)
            .or_answers::<RunBegun>(202)
            .streams(),
        Route::new(Operation::AgentObserve, |call| Box::pin(invoke(call)))
            .takes::<InvokeRequest>()
            .answers::<Outcome>(200)
            .or_answers::<RunBegun>(202)
            .streams(),
    ]
}

async fn invoke(call: Call) -> Result<Reply, Fault> {
    let name: AgentName = call.parameter("name")?;
    let request: InvokeRequest = if call.body.is_empty() { InvokeRequest::default() } else { call.json()? };
    let mode = request.mode;
    let live = call.rooms().runs.invoke(&call.act, &name, request).await?;
    match mode {
        Mode::Sync => outcome(&*live.ended().await?),
        Mode::Stream => Ok(Reply::events(events::follow(live, 0, call.holder.clone()))),
        Mode::Async => begun(&live.run()),
    }
}

/// 200 for a success; otherwise the failure, with the outcome in its details.
fn outcome(run: &Run) -> Result<Reply, Fault> {
    let lost = || Fault::new(Code::Internal, "an internal error occurred");
    match fault(run) {
        Some(fault) => Err(fault),
        None => Reply::ok(run.outcome.as_ref().ok_or_else(lost)?),
    }
}

/// 202, and where to ask.
pub fn begun(run: &Run) -> Result<Reply, Fault> {
    Reply::accepted(&RunBegun { run_id: run.id.clone(), session_id: run.session_id.clone() })
}
