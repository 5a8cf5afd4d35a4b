//! `/agents/{name}/endpoints`: list, view, set, delete.

use aegis_model::agent::Endpoint;
use aegis_model::api::{EndpointSet, Page, PageQuery};
use aegis_model::{AgentName, EndpointName, Fault, Operation};

use crate::call::Call;
use crate::page::Part;
use crate::reply::Reply;
use crate::route::Route;

/// The routes of this resource.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Operation::EndpointList, |call| Box::pin(list(call)))
            .queried_by::<PageQuery>()
            .answers::<Page<Endpoint>>(200),
        Route::new(Operation::EndpointView, |call| Box::pin(view(call))).answers::<Endpoint>(200),
        Route::new(Operation::EndpointSet, |call| Box::pin(set(call))).takes::<EndpointSet>().answers::<Endpoint>(200),
        Route::new(Operation::EndpointDelete, |call| Box::pin(delete(call))),
    ]
}

async fn list(call: Call) -> Result<Reply, Fault> {
    let name: AgentName = call.parameter("name")?;
    let part = Part::new(&call.query::<PageQuery>()?)?;
    let after = part.after.clone();
    let endpoints = call.rooms().fleet.endpoint_list(call.tenant(), &name, after, part.wanted()).await?;
    Reply::ok(&part.page(endpoints, |endpoint| endpoint.name.to_string()))
}

async fn view(call: Call) -> Result<Reply, Fault> {
    let (name, endpoint): (AgentName, EndpointName) = (call.parameter("name")?, call.parameter("endpoint")?);
    Reply::ok(&call.rooms().fleet.endpoint_view(call.tenant(), &name, &endpoint).await?)
}

async fn set(call: Call) -> Result<Reply, Fault> {
    let (name, endpoint): (AgentName, EndpointName) = (call.parameter("name")?, call.parameter("endpoint")?);
    let wish: EndpointSet = call.json()?;
    let set = call.rooms().fleet.endpoint_set(&call.act, &name, &endpoint, wish.version).await?;
    call.rooms().runs.warm_up(call.tenant(), &name).await;
    Reply::ok(&set)
}

async fn delete(call: Call) -> Result<Reply, Fault> {
    let (name, endpoint): (AgentName, EndpointName) = (call.parameter("name")?, call.parameter("endpoint")?);
    call.rooms().fleet.endpoint_delete(&call.act, &name, &endpoint).await?;
    call.rooms().runs.warm_up(call.tenant(), &name).await;
    Ok(Reply::empty())
}
