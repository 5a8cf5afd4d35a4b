//! `/agents`: list, deploy, view, delete.

use aegis_fleet::Deployment;
use aegis_model::api::{AgentView, Page, PageQuery, VersionView};
use aegis_model::manifest::{self, Manifest};
use aegis_model::{AgentName, Fault, Operation};
use schemars::JsonSchema;

use crate::call::Call;
use crate::multipart;
use crate::page::Part;
use crate::reply::Reply;
use crate::route::Route;

/// The body of a deployment with code.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "describes a multipart body in OpenAPI; the parts are read as they come")]
struct DeployParts {
    /// The manifest, as YAML or JSON.
    manifest: String,
    /// The code, as tar.zst.
    bundle: Option<Vec<u8>>,
}

/// The routes of this resource.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Operation::AgentList, |call| Box::pin(list(call)))
            .queried_by::<PageQuery>()
            .answers::<Page<AgentView>>(200),
        Route::new(Operation::AgentDeploy, |call| Box::pin(deploy(call)))
            .takes::<Manifest>()
            .takes_as::<Manifest>("application/yaml")
            .takes_as::<DeployParts>("multipart/form-data")
            .answers::<VersionView>(201),
        Route::new(Operation::AgentView, |call| Box::pin(view(call))).answers::<AgentView>(200),
        Route::new(Operation::AgentDelete, |call| Box::pin(delete(call))),
    ]
}

async fn list(call: Call) -> Result<Reply, Fault> {
    let part = Part::new(&call.query()?)?;
    let agents = call.rooms().fleet.agent_list(call.tenant(), part.after.clone(), part.wanted()).await?;
    Reply::ok(&part.page(agents, |agent| agent.name.to_string()))
}

async fn deploy(call: Call) -> Result<Reply, Fault> {
    let sent = multipart::sent(&call).await?;
    let parsed = manifest::parse(&sent.manifest).map_err(Fault::from)?;
    call.rooms().freezes.check_agent(&call.act.caller, &parsed.manifest.metadata.name)?;
    call.rooms().policies.check_grants(call.tenant(), &parsed.manifest)?;
    let deployment = Deployment { parsed, bundle: sent.bundle };
    let version = call.rooms().fleet.agent_deploy(&call.act, deployment).await?;
    call.rooms().runs.warm_up(call.tenant(), &version.agent).await;
    Reply::created(&version)
}

async fn view(call: Call) -> Result<Reply, Fault> {
    let name: AgentName = call.parameter("name")?;
    Reply::ok(&call.rooms().fleet.agent_view(call.tenant(), &name).await?)
}

async fn delete(call: Call) -> Result<Reply, Fault> {
    let name: AgentName = call.parameter("name")?;
    call.rooms().fleet.agent_delete(&call.act, &name).await?;
    call.rooms().runs.deleted(|tenant, agent| tenant == call.tenant() && *agent == name).await;
    Ok(Reply::empty())
}
