//! `/governance`: the records that govern intents.

use aegis_model::api::{Page, PageQuery};
use aegis_model::governance::GovernanceRecord;
use aegis_model::{Fault, Operation};

use super::intent::named;
use crate::call::Call;
use crate::page::Part;
use crate::reply::Reply;
use crate::route::Route;

/// The routes of this resource.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Operation::GovernanceList, |call| Box::pin(list(call)))
            .queried_by::<PageQuery>()
            .answers::<Page<GovernanceRecord>>(200),
        Route::new(Operation::GovernanceView, |call| Box::pin(view(call))).answers::<GovernanceRecord>(200),
        Route::new(Operation::GovernanceSet, |call| Box::pin(set(call)))
            .takes::<GovernanceRecord>()
            .answers::<GovernanceRecord>(200),
        Route::new(Operation::GovernanceDelete, |call| Box::pin(delete(call))),
    ]
}

async fn list(call: Call) -> Result<Reply, Fault> {
    let part = Part::new(&call.query()?)?;
    let records = call.rooms().orbit.governance_list(call.tenant(), part.after.clone(), part.wanted()).await?;
    Reply::ok(&part.page(records, GovernanceRecord::id))
}

async fn view(call: Call) -> Result<Reply, Fault> {
    let (service, intent) = named(&call);
    Reply::ok(&call.rooms().orbit.governance_view(call.tenant(), service, intent).await?)
}

async fn set(call: Call) -> Result<Reply, Fault> {
    let record: GovernanceRecord = call.json()?;
    Reply::ok(&call.rooms().orbit.governance_set(&call.act, named(&call), record).await?)
}

async fn delete(call: Call) -> Result<Reply, Fault> {
    let (service, intent) = named(&call);
    call.rooms().orbit.governance_delete(&call.act, service, intent).await?;
    Ok(Reply::empty())
}
