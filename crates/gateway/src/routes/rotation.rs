//! `/secrets/{name}/rotation`: which program rotates a secret, and what the program is given.

use aegis_model::agent::GrantState;
use aegis_model::api::{RotationProposal, RotationSet, RotationValues};
use aegis_model::manifest::Protocol;
use aegis_model::secret::SecretInfo;
use aegis_model::{Code, Fault, Operation, SecretName};

use crate::call::Call;
use crate::reply::Reply;
use crate::route::Route;

/// The routes of this resource.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Operation::RotationSet, |call| Box::pin(set(call)))
            .takes::<RotationSet>()
            .answers::<SecretInfo>(200),
        Route::new(Operation::RotationStart, |call| Box::pin(start(call))).answers::<SecretInfo>(202),
        Route::new(Operation::RotationRemove, |call| Box::pin(remove(call))),
        Route::new(Operation::RotationRead, |call| Box::pin(read(call))).answers::<RotationValues>(200),
        Route::new(Operation::RotationPropose, |call| Box::pin(propose(call))).takes::<RotationProposal>(),
    ]
}

async fn set(call: Call) -> Result<Reply, Fault> {
    let name: SecretName = call.parameter("name")?;
    let wish: RotationSet = call.json()?;
    let version = usable(&call, &wish).await?;
    Reply::ok(&call.rooms().tenancy.rotation_set(&call.act, &name, (wish, version)).await?)
}

/// The version of the program, if it can be one.
async fn usable(call: &Call, wish: &RotationSet) -> Result<u64, Fault> {
    let refused = |rule: &str, pointer: &str| Err(Fault::new(Code::Validation, rule).at(pointer));
    let found = call.rooms().fleet.version_in_force(call.tenant(), &wish.agent, wish.agent_version).await?;
    if found.grants == GrantState::Pending {
        return refused("the grants of this version were not approved", "/agent_version");
    }
    if found.manifest.spec.runtime.protocol != Protocol::Stdio {
        return refused("a rotation program reads one document and writes one: `protocol: stdio`", "/agent");
    }
    Ok(found.version)
}

async fn start(call: Call) -> Result<Reply, Fault> {
    let name: SecretName = call.parameter("name")?;
    let secret = call.rooms().tenancy.rotation_start(&call.act, &name).await?;
    call.rooms().rotator.wake();
    Reply::accepted(&secret)
}

async fn remove(call: Call) -> Result<Reply, Fault> {
    let name: SecretName = call.parameter("name")?;
    call.rooms().tenancy.rotation_remove(&call.act, &name).await?;
    Ok(Reply::empty())
}

async fn read(call: Call) -> Result<Reply, Fault> {
    let name: SecretName = call.parameter("name")?;
    Reply::ok(&call.rooms().tenancy.rotation_read(&call.act, &name, call.occupant()?).await?)
}

async fn propose(call: Call) -> Result<Reply, Fault> {
    let name: SecretName = call.parameter("name")?;
    let proposal: RotationProposal = call.json()?;
    call.rooms().tenancy.rotation_propose(&call.act, (&name, proposal), call.occupant()?).await?;
    Ok(Reply::empty())
}
