//! `/freeze` and `/thaw`: the kill switch.

use aegis_model::api::{FreezeRequest, Page, ThawRequest};
use aegis_model::freeze::{Freeze, FreezeTarget};
use aegis_model::{Fault, Operation};

use crate::call::Call;
use crate::reply::Reply;
use crate::route::Route;

/// The routes of this resource.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Operation::FreezeList, |call| Box::pin(list(call))).answers::<Page<Freeze>>(200),
        Route::new(Operation::FreezeSet, |call| Box::pin(freeze(call))).takes::<FreezeRequest>().answers::<Freeze>(200),
        Route::new(Operation::FreezeLift, |call| Box::pin(thaw(call))).takes::<ThawRequest>(),
    ]
}

async fn list(call: Call) -> Result<Reply, Fault> {
    let items = call.rooms().freezes.list(&call.act.caller);
    Reply::ok(&Page { items, next_cursor: None })
}

async fn freeze(call: Call) -> Result<Reply, Fault> {
    let wish: FreezeRequest = call.json()?;
    target_exists(&call, &wish.target).await?;
    Reply::ok(&call.rooms().runs.freeze(&call.act, wish).await?)
}

/// A kill switch that hits nothing because of a typing mistake would be worse than none.
async fn target_exists(call: &Call, target: &FreezeTarget) -> Result<(), Fault> {
    match target {
        FreezeTarget::Agent(name) => call.rooms().fleet.agent_view(call.tenant(), name).await.map(drop),
        FreezeTarget::Key(id) => call.rooms().tenancy.key_may_be_stopped(&call.act, id).await,
        FreezeTarget::All | FreezeTarget::Tenant(_) => Ok(()),
    }
}

async fn thaw(call: Call) -> Result<Reply, Fault> {
    let wish: ThawRequest = call.json()?;
    call.rooms().freezes.thaw(&call.act, wish.target).await?;
    Ok(Reply::empty())
}
