//! `/dispatch`: ask for an intent.

use std::sync::Arc;

use aegis_dispatch::run::fault;
use aegis_model::api::{DispatchRequest, Dispatched};
use aegis_model::{Code, Fault, Operation};
use axum::Router;

use crate::App;
use crate::call::Call;
use crate::reply::Reply;
use crate::route::Route;

/// The routes of this resource.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Operation::Dispatch, |call| Box::pin(dispatch(call)))
            .takes::<DispatchRequest>()
            .answers::<Dispatched>(200),
    ]
}

/// The same, without the prefix of the API.
pub fn at_the_root() -> Router<Arc<App>> {
    routes().into_iter().fold(Router::new(), |router, route| route.mount(router))
}

async fn dispatch(call: Call) -> Result<Reply, Fault> {
    let asked: DispatchRequest = call.json()?;
    let run = call.rooms().orbit.dispatch(&call.act, asked).await?.ended().await?;
    if let Some(fault) = fault(&run) {
        return Err(fault);
    }
    let lost = || Fault::new(Code::Internal, "an internal error occurred");
    Reply::ok(&Dispatched::of(&run).ok_or_else(lost)?)
}
