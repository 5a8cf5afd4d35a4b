//! `/secrets`: list, view, set, rotate, roll back, delete. No answer has a value in it.

use aegis_model::api::{Page, PageQuery, SecretRotate, SecretSet};
use aegis_model::secret::SecretInfo;
use aegis_model::{Fault, Operation, SecretName};

use crate::call::Call;
use crate::page::Part;
use crate::reply::Reply;
use crate::route::Route;

/// The routes of this resource.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Operation::SecretList, |call| Box::pin(list(call)))
            .queried_by::<PageQuery>()
            .answers::<Page<SecretInfo>>(200),
        Route::new(Operation::SecretView, |call| Box::pin(view(call))).answers::<SecretInfo>(200),
        Route::new(Operation::SecretSet, |call| Box::pin(set(call))).takes::<SecretSet>().answers::<SecretInfo>(200),
        Route::new(Operation::SecretRotate, |call| Box::pin(rotate(call)))
            .takes::<SecretRotate>()
            .answers::<SecretInfo>(200),
        Route::new(Operation::SecretRollback, |call| Box::pin(rollback(call))).answers::<SecretInfo>(200),
        Route::new(Operation::SecretDelete, |call| Box::pin(delete(call))),
    ]
}

async fn list(call: Call) -> Result<Reply, Fault> {
    let part = Part::new(&call.query()?)?;
    let secrets = call.rooms().tenancy.secret_list(&call.act, part.after.clone(), part.wanted()).await?;
    Reply::ok(&part.page(secrets, |secret| secret.name.to_string()))
}

async fn view(call: Call) -> Result<Reply, Fault> {
    let name: SecretName = call.parameter("name")?;
    Reply::ok(&call.rooms().tenancy.secret_view(&call.act, &name).await?)
}

async fn set(call: Call) -> Result<Reply, Fault> {
    let name: SecretName = call.parameter("name")?;
    let wish: SecretSet = call.json()?;
    Reply::ok(&call.rooms().tenancy.secret_set(&call.act, &name, wish).await?)
}

async fn rotate(call: Call) -> Result<Reply, Fault> {
    let name: SecretName = call.parameter("name")?;
    let wish: SecretRotate = call.json()?;
    Reply::ok(&call.rooms().tenancy.secret_rotate(&call.act, &name, wish).await?)
}

async fn rollback(call: Call) -> Result<Reply, Fault> {
    let name: SecretName = call.parameter("name")?;
    Reply::ok(&call.rooms().tenancy.secret_rollback(&call.act, &name).await?)
}

async fn delete(call: Call) -> Result<Reply, Fault> {
    let name: SecretName = call.parameter("name")?;
    call.rooms().tenancy.secret_delete(&call.act, &name).await?;
    Ok(Reply::empty())
}
