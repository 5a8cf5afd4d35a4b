//! `/decisions`: what agents wanted to reach, and what was decided.

use aegis_model::api::{DecisionListQuery, Page, PageQuery};
use aegis_model::outward::OutwardRecord;
use aegis_model::{Fault, Operation, Role};

use crate::call::Call;
use crate::page::Part;
use crate::reply::Reply;
use crate::route::Route;

/// The routes of this resource.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Operation::DecisionList, |call| Box::pin(list(call)))
            .queried_by::<DecisionListQuery>()
            .answers::<Page<OutwardRecord>>(200),
    ]
}

async fn list(call: Call) -> Result<Reply, Fault> {
    let query: DecisionListQuery = call.query()?;
    let part = Part::new(&PageQuery { limit: query.limit, cursor: query.cursor.clone() })?;
    let bounds = (part.after.clone(), part.wanted());
    let mut records = call.rooms().outward.list(call.tenant(), &query, bounds).await?;
    if call.act.caller.role < Role::Operator {
        // A map of the policy is for those who may change what it is about.
        records.iter_mut().for_each(|record| record.reasons.clear());
    }
    Reply::ok(&part.page(records, |record| record.id.to_string()))
}
