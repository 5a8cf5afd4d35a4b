//! `/runs`: list, view, follow, cancel, retry.

use aegis_model::api::{Page, PageQuery, RunBegun, RunListQuery};
use aegis_model::run::{Run, RunSummary};
use aegis_model::{Code, Fault, Operation, RunId};

use crate::call::Call;
use crate::events;
use crate::page::Part;
use crate::reply::Reply;
use crate::route::Route;
use crate::routes::invocation::begun;

/// The routes of this resource.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Operation::RunList, |call| Box::pin(list(call)))
            .queried_by::<RunListQuery>()
            .answers::<Page<RunSummary>>(200),
        Route::new(Operation::RunView, |call| Box::pin(view(call))).answers::<Run>(200),
        Route::new(Operation::RunEvents, |call| Box::pin(follow(call))).streams(),
        Route::new(Operation::RunCancel, |call| Box::pin(cancel(call))).answers::<Run>(200),
        Route::new(Operation::RunRetry, |call| Box::pin(retry(call))).answers::<RunBegun>(202),
    ]
}

async fn list(call: Call) -> Result<Reply, Fault> {
    let query: RunListQuery = call.query()?;
    let part = Part::new(&PageQuery { limit: query.limit, cursor: query.cursor.clone() })?;
    let runs = call.rooms().runs.run_list(call.tenant(), &query, (part.after.clone(), part.wanted())).await?;
    Reply::ok(&part.page(runs, |run| run.id.to_string()))
}

async fn view(call: Call) -> Result<Reply, Fault> {
    let id: RunId = call.parameter("run_id")?;
    Reply::ok(&call.rooms().runs.run_view(call.tenant(), &id).await?)
}

async fn follow(call: Call) -> Result<Reply, Fault> {
    let id: RunId = call.parameter("run_id")?;
    let after = last_event_id(&call)?;
    if let Some(live) = call.rooms().runs.live(call.tenant(), &id) {
        return Ok(Reply::events(events::follow(live, after, call.holder.clone())));
    }
    let run = call.rooms().runs.run_view(call.tenant(), &id).await?;
    Ok(Reply::events(events::ended(&run.outcome, after.saturating_add(1))))
}

/// Where a listener that comes back left off.
fn last_event_id(call: &Call) -> Result<u64, Fault> {
    let Some(header) = call.headers.get("last-event-id") else { return Ok(0) };
    let number = header.to_str().ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| {
        Fault::new(Code::Validation, "`Last-Event-ID` must be a number this stream gave")
            .with("header", "Last-Event-ID")
    })
}

async fn cancel(call: Call) -> Result<Reply, Fault> {
    let id: RunId = call.parameter("run_id")?;
    Reply::ok(&call.rooms().runs.run_cancel(&call.act, &id).await?)
}

async fn retry(call: Call) -> Result<Reply, Fault> {
    let id: RunId = call.parameter("run_id")?;
    let run = call.rooms().runs.run_to_retry(call.tenant(), &id).await?;
    // It is another invocation of its agent, and decided as such.
    let input = serde_json::to_vec(&run.input).map_err(Fault::internal)?;
    let act = call.rooms().gate.also(&call.act, (Operation::AgentInvoke, run.agent.as_str()), &input).await?;
    begun(&call.rooms().runs.run_retry(&act, &id).await?.run())
}
