//! `/keys`: list, create, revoke; a new key-encryption key.

use aegis_model::api::{EncryptionKeyRotated, KeyCreate, KeyCreated, Page, PageQuery};
use aegis_model::key::KeyInfo;
use aegis_model::{Fault, KeyId, Operation};

use crate::call::Call;
use crate::page::Part;
use crate::reply::Reply;
use crate::route::Route;

/// The routes of this resource.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Operation::KeyList, |call| Box::pin(list(call)))
            .queried_by::<PageQuery>()
            .answers::<Page<KeyInfo>>(200),
        Route::new(Operation::KeyCreate, |call| Box::pin(create(call))).takes::<KeyCreate>().answers::<KeyCreated>(201),
        Route::new(Operation::KeyRevoke, |call| Box::pin(revoke(call))),
        Route::new(Operation::EncryptionKeyRotate, |call| Box::pin(rotate_encryption(call)))
            .answers::<EncryptionKeyRotated>(200),
    ]
}

async fn list(call: Call) -> Result<Reply, Fault> {
    let part = Part::new(&call.query()?)?;
    let keys = call.rooms().tenancy.key_list(call.tenant(), part.after.clone(), part.wanted()).await?;
    Reply::ok(&part.page(keys, |key| key.id.to_string()))
}

async fn create(call: Call) -> Result<Reply, Fault> {
    let wish: KeyCreate = call.json()?;
    Reply::created(&call.rooms().tenancy.key_create(&call.act, wish).await?)
}

async fn revoke(call: Call) -> Result<Reply, Fault> {
    let id: KeyId = call.parameter("key_id")?;
    call.rooms().tenancy.key_revoke(&call.act, &id).await?;
    Ok(Reply::empty())
}

async fn rotate_encryption(call: Call) -> Result<Reply, Fault> {
    Reply::ok(&call.rooms().tenancy.encryption_key_rotate(&call.act).await?)
}
