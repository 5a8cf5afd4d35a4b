//! `/intents`: what services may ask for, and which agent does it.

use aegis_model::api::{IntentSet, Page, PageQuery};
use aegis_model::intent::Intent;
use aegis_model::{Fault, Operation};

use crate::call::{Call, parameter};
use crate::page::Part;
use crate::reply::Reply;
use crate::route::Route;

/// The routes of this resource.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Operation::IntentList, |call| Box::pin(list(call)))
            .queried_by::<PageQuery>()
            .answers::<Page<Intent>>(200),
        Route::new(Operation::IntentView, |call| Box::pin(view(call))).answers::<Intent>(200),
        Route::new(Operation::IntentSet, |call| Box::pin(set(call))).takes::<IntentSet>().answers::<Intent>(200),
        Route::new(Operation::IntentDelete, |call| Box::pin(delete(call))),
    ]
}

/// The service and the intent in the path.
pub fn named(call: &Call) -> (&str, &str) {
    (parameter(&call.parameters, "service"), parameter(&call.parameters, "intent"))
}

async fn list(call: Call) -> Result<Reply, Fault> {
    let part = Part::new(&call.query()?)?;
    let intents = call.rooms().orbit.intent_list(call.tenant(), part.after.clone(), part.wanted()).await?;
    Reply::ok(&part.page(intents, Intent::id))
}

async fn view(call: Call) -> Result<Reply, Fault> {
    let (service, intent) = named(&call);
    Reply::ok(&call.rooms().orbit.intent(call.tenant(), service, intent).await?)
}

async fn set(call: Call) -> Result<Reply, Fault> {
    let wish: IntentSet = call.json()?;
    Reply::ok(&call.rooms().orbit.intent_set(&call.act, named(&call), wish).await?)
}

async fn delete(call: Call) -> Result<Reply, Fault> {
    let (service, intent) = named(&call);
    call.rooms().orbit.intent_delete(&call.act, service, intent).await?;
    Ok(Reply::empty())
}
