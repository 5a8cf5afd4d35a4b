//! `/identity`: who asks, and tokens by which a session proves to others who it is.

use aegis_model::api::{Identity, IdentityToken, IdentityTokenWish};
use aegis_model::{Fault, Operation, Principal};

use crate::call::Call;
use crate::reply::Reply;
use crate::route::Route;

/// The routes of this resource.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Operation::IdentityView, |call| Box::pin(view(call))).answers::<Identity>(200),
        Route::new(Operation::IdentityToken, |call| Box::pin(token(call)))
            .takes::<IdentityTokenWish>()
            .answers::<IdentityToken>(201),
        Route::new(Operation::IdentityKeyRotate, |call| Box::pin(rotate(call))),
    ]
}

async fn view(call: Call) -> Result<Reply, Fault> {
    let caller = &call.act.caller;
    let workload = match &call.occupant {
        Some(occupant) => Some(call.rooms().tenancy.workload(occupant)?),
        None => None,
    };
    let is_agent = matches!(caller.principal, Principal::Agent { .. });
    Reply::ok(&Identity {
        tenant: caller.tenant.clone(),
        principal: caller.principal.clone(),
        role: (!is_agent).then_some(caller.role),
        workload,
        expires_at: call.holder.until(),
    })
}

async fn token(call: Call) -> Result<Reply, Fault> {
    let wish: IdentityTokenWish = call.json()?;
    Reply::created(&call.rooms().tenancy.identity_token(&call.act, call.occupant()?, &wish).await?)
}

async fn rotate(call: Call) -> Result<Reply, Fault> {
    call.rooms().tenancy.identity_key_rotate(&call.act).await?;
    Ok(Reply::empty())
}
