//! `/ledger`: checkpoint, entries, proofs.

use aegis_model::api::{
    CheckpointView, ConsistencyQuery, ConsistencyView, EntriesQuery, LedgerItems, ProofQuery, ProofView,
};
use aegis_model::{Fault, Operation};

use crate::call::Call;
use crate::page::limit;
use crate::reply::Reply;
use crate::route::Route;

/// The routes of this resource.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Operation::LedgerCheckpoint, |call| Box::pin(checkpoint(call))).answers::<CheckpointView>(200),
        Route::new(Operation::LedgerEntries, |call| Box::pin(entries(call)))
            .queried_by::<EntriesQuery>()
            .answers::<LedgerItems>(200),
        Route::new(Operation::LedgerProof, |call| Box::pin(proof(call)))
            .queried_by::<ProofQuery>()
            .answers::<ProofView>(200),
        Route::new(Operation::LedgerKeyRotate, |call| Box::pin(rotate(call))),
        Route::new(Operation::LedgerConsistency, |call| Box::pin(consistency(call)))
            .queried_by::<ConsistencyQuery>()
            .answers::<ConsistencyView>(200),
    ]
}

async fn checkpoint(call: Call) -> Result<Reply, Fault> {
    Reply::ok(&call.rooms().ledger.checkpoint(call.tenant()).await?)
}

async fn rotate(call: Call) -> Result<Reply, Fault> {
    call.rooms().tenancy.ledger_key_rotate(&call.act).await?;
    Ok(Reply::empty())
}

async fn entries(call: Call) -> Result<Reply, Fault> {
    let query: EntriesQuery = call.query()?;
    let limit = limit(query.limit)?;
    Reply::ok(&call.rooms().ledger.entries(call.tenant(), query.from, limit).await?)
}

async fn proof(call: Call) -> Result<Reply, Fault> {
    let query: ProofQuery = call.query()?;
    Reply::ok(&call.rooms().ledger.proof(call.tenant(), query.position, query.size).await?)
}

async fn consistency(call: Call) -> Result<Reply, Fault> {
    let query: ConsistencyQuery = call.query()?;
    Reply::ok(&call.rooms().ledger.consistency(call.tenant(), query.from, query.to).await?)
}
