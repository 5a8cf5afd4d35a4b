//! `/policies`: list, test, explain.

use aegis_model::api::{PolicyAsk, PolicyExplanation, PolicyList, PolicyListQuery, PolicyTest, PolicyTestResult};
use aegis_model::{Fault, Operation};

use crate::call::Call;
use crate::reply::Reply;
use crate::route::Route;

/// The routes of this resource.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Operation::PolicyList, |call| Box::pin(list(call)))
            .queried_by::<PolicyListQuery>()
            .answers::<PolicyList>(200),
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

async fn test(call: Call) -> Result<Reply, Fault> {
    let test: PolicyTest = call.json()?;
    Reply::ok(&call.rooms().policies.test(&call.act, test).await?)
}

async fn explain(call: Call) -> Result<Reply, Fault> {
    let ask: PolicyAsk = call.json()?;
    Reply::ok(&call.rooms().policies.explain(&call.act, &ask).await?)
}
