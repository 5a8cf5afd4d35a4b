//! `/sessions/{session_id}/exec` and `/sessions/{session_id}/files`: reaching into a box.

use aegis_dispatch::run::exec::Executing;
use aegis_ledger::journal::Answer;
use aegis_model::exec::{EXEC_OUTPUT_BYTES_MAX, EXEC_PROTOCOL, ExecEnding, ExecRequest, ExecResult};
use aegis_model::port::ClosedSink;
use aegis_model::{Fault, Operation, SessionId};
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;

use crate::attach::attach;
use crate::call::{Call, parameter};
use crate::reply::Reply;
use crate::route::Route;

/// Says that a file that is sent can be executed.
const EXECUTABLE: &str = "x-aegis-executable";

/// The routes of this resource.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Operation::SessionExec, |call| Box::pin(exec(call)))
            .takes::<ExecRequest>()
            .answers::<ExecResult>(200)
            .switches(),
        Route::new(Operation::SessionFileGet, |call| Box::pin(get(call))).answers_bytes(),
        Route::new(Operation::SessionFilePut, |call| Box::pin(put(call))).takes_bytes(),
    ]
}

async fn exec(mut call: Call) -> Result<Reply, Fault> {
    let id: SessionId = call.parameter("session_id")?;
    let request: ExecRequest = call.json()?;
    let upgrade = call.upgrade.take().filter(|_| wants_connection(&call.headers));
    let runs = call.rooms().runs.clone();
    let Executing { mut running, seat } = runs.session_exec(&call.act, &id, (&request, upgrade.is_some())).await?;
    if let Some(upgrade) = upgrade {
        tokio::spawn(async move {
            let ending = attach(upgrade, running, call.holder.clone()).await;
            let _unrecorded = runs.exec_ended(&call.act, &id, (&ending, None)).await;
            drop(seat);
        });
        return Ok(Reply::switching(EXEC_PROTOCOL));
    }
    let mut sink = std::mem::replace(&mut running.input, Box::new(ClosedSink));
    let input = Bytes::from(request.input.unwrap_or_default());
    // A program may end before it has read everything, or never read at all.
    tokio::spawn(async move { sink.write(input).await });
    let answer = running.collect(EXEC_OUTPUT_BYTES_MAX).await?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let ending = ExecEnding::from(answer.ending);
    let result = ExecResult { ending, output: text(&answer.output), errors: text(&answer.errors) };
    runs.exec_ended(&call.act, &id, (&result.ending, Some(Answer::shown(200, &result)?))).await?;
    Reply::ok(&result)
}

/// Whether the caller asks for the connection to become the program's.
fn wants_connection(headers: &HeaderMap) -> bool {
    let asked = headers.get(header::UPGRADE).and_then(|value| value.to_str().ok());
    asked.is_some_and(|protocol| protocol.eq_ignore_ascii_case(EXEC_PROTOCOL))
}

async fn get(call: Call) -> Result<Reply, Fault> {
    let id: SessionId = call.parameter("session_id")?;
    let path = parameter(&call.parameters, "path");
    let bytes = call.rooms().runs.file_get(call.tenant(), &id, path).await?;
    Ok(Reply::bytes(StatusCode::OK, bytes))
}

async fn put(call: Call) -> Result<Reply, Fault> {
    let id: SessionId = call.parameter("session_id")?;
    let path = parameter(&call.parameters, "path");
    let executable = call.headers.get(EXECUTABLE).is_some_and(|value| value == "true");
    call.rooms().runs.file_put(&call.act, &id, (path, call.body.clone(), executable)).await?;
    Ok(Reply::empty())
}
