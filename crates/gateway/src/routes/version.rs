//! `/agents/{name}/versions`: list, view, approve, take the approval back.

use aegis_model::api::{Page, PageQuery, VersionView};
use aegis_model::{AgentName, Code, Fault, Operation};

use crate::call::Call;
use crate::page::Part;
use crate::reply::Reply;
use crate::route::Route;

/// The routes of this resource.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Operation::VersionList, |call| Box::pin(list(call)))
            .queried_by::<PageQuery>()
            .answers::<Page<VersionView>>(200),
        Route::new(Operation::VersionView, |call| Box::pin(view(call))).answers::<VersionView>(200),
        Route::new(Operation::VersionRevoke, |call| Box::pin(revoke(call))).answers::<VersionView>(200),
        Route::new(Operation::VersionApprove, |call| Box::pin(approve(call))).answers::<VersionView>(200),
    ]
}

async fn list(call: Call) -> Result<Reply, Fault> {
    let name: AgentName = call.parameter("name")?;
    let part = Part::new(&call.query()?)?;
    let wrong = |_| Fault::new(Code::Validation, "`cursor` is not one that this list gave").at("/cursor");
    let after = part.after.as_deref().map(str::parse).transpose().map_err(wrong)?;
    let versions = call.rooms().fleet.version_list(call.tenant(), &name, after, part.wanted()).await?;
    Reply::ok(&part.page(versions, |version| version.version.to_string()))
}

async fn view(call: Call) -> Result<Reply, Fault> {
    let (name, version): (AgentName, u64) = (call.parameter("name")?, call.parameter("version")?);
    Reply::ok(&call.rooms().fleet.version_view(call.tenant(), &name, version).await?)
}

async fn revoke(call: Call) -> Result<Reply, Fault> {
    let (name, version): (AgentName, u64) = (call.parameter("name")?, call.parameter("version")?);
    let view = call.rooms().fleet.version_revoke(&call.act, &name, version).await?;
    call.rooms().policies.renew();
    Reply::ok(&view)
}

async fn approve(call: Call) -> Result<Reply, Fault> {
    let (name, version): (AgentName, u64) = (call.parameter("name")?, call.parameter("version")?);
    let view = call.rooms().fleet.version_approve(&call.act, &name, version).await?;
    call.rooms().policies.renew();
    call.rooms().runs.warm_up(call.tenant(), &name).await;
    Reply::ok(&view)
}
