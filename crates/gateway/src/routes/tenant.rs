//! `/tenants`: list, create, delete.

use aegis_model::api::{Page, PageQuery, TenantCreate};
use aegis_model::tenant::TenantInfo;
use aegis_model::{Fault, Operation, TenantId};

use crate::call::Call;
use crate::page::Part;
use crate::reply::Reply;
use crate::route::Route;

/// The routes of this resource.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Operation::TenantList, |call| Box::pin(list(call)))
            .queried_by::<PageQuery>()
            .answers::<Page<TenantInfo>>(200),
        Route::new(Operation::TenantCreate, |call| Box::pin(create(call)))
            .takes::<TenantCreate>()
            .answers::<TenantInfo>(201),
        Route::new(Operation::TenantDelete, |call| Box::pin(delete(call))),
    ]
}

async fn list(call: Call) -> Result<Reply, Fault> {
    let part = Part::new(&call.query()?)?;
    let tenants = call.rooms().tenancy.tenant_list(part.after.clone(), part.wanted()).await?;
    Reply::ok(&part.page(tenants, |tenant| tenant.id.to_string()))
}

async fn create(call: Call) -> Result<Reply, Fault> {
    let wish: TenantCreate = call.json()?;
    Reply::created(&call.rooms().tenancy.tenant_create(&call.act, wish.id).await?)
}

async fn delete(call: Call) -> Result<Reply, Fault> {
    let id: TenantId = call.parameter("tenant")?;
    call.rooms().tenancy.tenant_delete(&call.act, &id).await?;
    call.rooms().runs.deleted(|tenant, _| *tenant == id).await;
    Ok(Reply::empty())
}
