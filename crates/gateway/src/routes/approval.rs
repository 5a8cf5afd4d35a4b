//! `/approvals`: list, view and wait, approve, reject, withdraw.

use aegis_model::api::{ApprovalApprove, ApprovalDeny, ApprovalListQuery, ApprovalViewQuery, Page, PageQuery};
use aegis_model::approval::Approval;
use aegis_model::{ApprovalId, Fault, Operation};

use crate::call::Call;
use crate::page::Part;
use crate::reply::Reply;
use crate::route::Route;

/// The routes of this resource.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Operation::ApprovalList, |call| Box::pin(list(call)))
            .queried_by::<ApprovalListQuery>()
            .answers::<Page<Approval>>(200),
        Route::new(Operation::ApprovalView, |call| Box::pin(view(call)))
            .queried_by::<ApprovalViewQuery>()
            .answers::<Approval>(200),
        Route::new(Operation::ApprovalApprove, |call| Box::pin(approve(call)))
            .takes::<ApprovalApprove>()
            .answers::<Approval>(200),
        Route::new(Operation::ApprovalDeny, |call| Box::pin(deny(call)))
            .takes::<ApprovalDeny>()
            .answers::<Approval>(200),
        Route::new(Operation::ApprovalWithdraw, |call| Box::pin(withdraw(call))).answers::<Approval>(200),
    ]
}

async fn list(call: Call) -> Result<Reply, Fault> {
    let query: ApprovalListQuery = call.query()?;
    let part = Part::new(&PageQuery { limit: query.limit, cursor: query.cursor.clone() })?;
    let bounds = (part.after.clone(), part.wanted());
    let approvals = call.rooms().approvals.list(call.tenant(), &query, bounds).await?;
    Reply::ok(&part.page(approvals, |approval| approval.id.to_string()))
}

async fn view(call: Call) -> Result<Reply, Fault> {
    let id: ApprovalId = call.parameter("approval_id")?;
    let query: ApprovalViewQuery = call.query()?;
    Reply::ok(&call.rooms().approvals.view(call.tenant(), &id, query.wait_ms.unwrap_or(0)).await?)
}

async fn approve(call: Call) -> Result<Reply, Fault> {
    let id: ApprovalId = call.parameter("approval_id")?;
    let wish: ApprovalApprove = call.json()?;
    Reply::ok(&call.rooms().approvals.approve(&call.act, &id, wish).await?)
}

async fn deny(call: Call) -> Result<Reply, Fault> {
    let id: ApprovalId = call.parameter("approval_id")?;
    let wish: ApprovalDeny = call.json()?;
    Reply::ok(&call.rooms().approvals.deny(&call.act, &id, wish).await?)
}

async fn withdraw(call: Call) -> Result<Reply, Fault> {
    let id: ApprovalId = call.parameter("approval_id")?;
    Reply::ok(&call.rooms().approvals.withdraw(&call.act, &id).await?)
}
