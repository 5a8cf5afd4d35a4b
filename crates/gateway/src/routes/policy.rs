//! `/policies`: list, apply, roll back, compare, test, explain.

use aegis_model::api::{
    Page, PageQuery, PolicyApply, PolicyAsk, PolicyDiff, PolicyDraftSet, PolicyExplanation, PolicyList,
    PolicyListQuery, PolicyReplay, PolicyReplayed, PolicyRollback, PolicySet, PolicyTest, PolicyTestResult,
};
use aegis_model::policy::{PolicyRevision, PolicyRevisionInfo};
use aegis_model::{Fault, Operation, PolicyName};

use crate::call::Call;
use crate::page::Part;
use crate::reply::Reply;
use crate::route::Route;

/// The routes of this resource.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Operation::PolicyList, |call| Box::pin(list(call)))
            .queried_by::<PolicyListQuery>()
            .answers::<PolicyList>(200),
        Route::new(Operation::PolicyApply, |call| Box::pin(apply(call)))
            .takes::<PolicyApply>()
            .answers::<PolicyRevisionInfo>(200),
        Route::new(Operation::PolicyRollback, |call| Box::pin(rollback(call)))
            .takes::<PolicyRollback>()
            .answers::<PolicyRevisionInfo>(200),
        Route::new(Operation::PolicySet, |call| Box::pin(set(call)))
            .takes::<PolicySet>()
            .answers::<PolicyRevisionInfo>(200),
        Route::new(Operation::PolicyDelete, |call| Box::pin(delete(call))),
        Route::new(Operation::PolicyRevisionList, |call| Box::pin(revision_list(call)))
            .queried_by::<PageQuery>()
            .answers::<Page<PolicyRevisionInfo>>(200),
        Route::new(Operation::PolicyRevisionView, |call| Box::pin(revision_view(call))).answers::<PolicyRevision>(200),
        Route::new(Operation::PolicyDiff, |call| Box::pin(diff(call)))
            .takes::<PolicyDraftSet>()
            .answers::<PolicyDiff>(200),
        Route::new(Operation::PolicyReplay, |call| Box::pin(replay(call)))
            .takes::<PolicyReplay>()
            .answers::<PolicyReplayed>(200),
        Route::new(Operation::PolicyTest, |call| Box::pin(test(call)))
            .takes::<PolicyTest>()
            .answers::<PolicyTestResult>(200),
        Route::new(Operation::PolicyExplain, |call| Box::pin(explain(call)))
            .takes::<PolicyAsk>()
            .answers::<PolicyExplanation>(200),
    ]
}

async fn list(call: Call) -> Result<Reply, Fault> {
    let query: PolicyListQuery = call.query()?;
    Reply::ok(&call.rooms().policies.list(call.tenant(), query.agent.as_ref()).await?)
}

async fn apply(call: Call) -> Result<Reply, Fault> {
    let wish: PolicyApply = call.json()?;
    Reply::ok(&call.rooms().policies.apply(&call.act, wish).await?)
}

async fn rollback(call: Call) -> Result<Reply, Fault> {
    let wish: PolicyRollback = call.json()?;
    Reply::ok(&call.rooms().policies.rollback(&call.act, wish).await?)
}

async fn set(call: Call) -> Result<Reply, Fault> {
    let name: PolicyName = call.parameter("policy")?;
    let wish: PolicySet = call.json()?;
    Reply::ok(&call.rooms().policies.set(&call.act, name, wish).await?)
}

async fn delete(call: Call) -> Result<Reply, Fault> {
    let name: PolicyName = call.parameter("policy")?;
    call.rooms().policies.delete(&call.act, &name).await?;
    Ok(Reply::empty())
}

async fn revision_list(call: Call) -> Result<Reply, Fault> {
    let part = Part::new(&call.query()?)?;
    let revisions = call.rooms().policies.revision_list(call.tenant(), part.after.clone(), part.wanted()).await?;
    Reply::ok(&part.page(revisions, |revision| format!("{:020}", revision.revision)))
}

async fn revision_view(call: Call) -> Result<Reply, Fault> {
    let revision: u64 = call.parameter("revision")?;
    Reply::ok(&call.rooms().policies.revision_view(call.tenant(), revision).await?)
}

async fn diff(call: Call) -> Result<Reply, Fault> {
    let draft: PolicyDraftSet = call.json()?;
    Reply::ok(&call.rooms().policies.diff(call.tenant(), draft).await?)
}

async fn replay(call: Call) -> Result<Reply, Fault> {
    let wish: PolicyReplay = call.json()?;
    Reply::ok(&call.rooms().policies.replay(call.tenant(), wish).await?)
}

async fn test(call: Call) -> Result<Reply, Fault> {
    let test: PolicyTest = call.json()?;
    Reply::ok(&call.rooms().policies.test(&call.act, test).await?)
}

async fn explain(call: Call) -> Result<Reply, Fault> {
    let ask: PolicyAsk = call.json()?;
    Reply::ok(&call.rooms().policies.explain(&call.act, &ask).await?)
}
