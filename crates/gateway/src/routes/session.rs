//! `/sessions`: list, view, end.

use aegis_model::api::{LogLines, LogQuery, Page, PageQuery, SessionListQuery};
use aegis_model::run::SessionView;
use aegis_model::{Fault, Operation, SessionId};

use crate::call::Call;
use crate::page::{Part, limit};
use crate::reply::Reply;
use crate::route::Route;

/// The routes of this resource.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Operation::SessionList, |call| Box::pin(list(call)))
            .queried_by::<SessionListQuery>()
            .answers::<Page<SessionView>>(200),
        Route::new(Operation::SessionView, |call| Box::pin(view(call))).answers::<SessionView>(200),
        Route::new(Operation::SessionLogs, |call| Box::pin(logs(call)))
            .queried_by::<LogQuery>()
            .answers::<LogLines>(200),
        Route::new(Operation::SessionEnd, |call| Box::pin(end(call))),
    ]
}

async fn list(call: Call) -> Result<Reply, Fault> {
    let query: SessionListQuery = call.query()?;
    let part = Part::new(&PageQuery { limit: query.limit, cursor: query.cursor.clone() })?;
    let sessions = call.rooms().runs.session_list(call.tenant(), &query, (part.after.clone(), part.wanted())).await?;
    Reply::ok(&part.page(sessions, |view| view.session.id.to_string()))
}

async fn view(call: Call) -> Result<Reply, Fault> {
    let id: SessionId = call.parameter("session_id")?;
    Reply::ok(&call.rooms().runs.session_view(call.tenant(), &id).await?)
}

async fn logs(call: Call) -> Result<Reply, Fault> {
    let id: SessionId = call.parameter("session_id")?;
    let query: LogQuery = call.query()?;
    let limit = limit(query.limit)?;
    Reply::ok(&call.rooms().runs.session_logs(call.tenant(), &id, (&query, limit)).await?)
}

async fn end(call: Call) -> Result<Reply, Fault> {
    let id: SessionId = call.parameter("session_id")?;
    call.rooms().runs.session_end(&call.act, &id).await?;
    Ok(Reply::empty())
}
