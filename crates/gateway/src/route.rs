//! A route: an operation of the table, its handler, and the shapes of its bodies.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use aegis_model::operation::Method;
use aegis_model::{Code, Fault, Operation};
use axum::Router;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, on};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::App;
use crate::call::{Call, Parameters};
use crate::reply::{Refusal, Reply};
use crate::serve::serve;

/// What a handler is, once its future is boxed.
pub type Handler = fn(Call) -> Pin<Box<dyn Future<Output = Result<Reply, Fault>> + Send>>;

/// Gives the schema of a type.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// The shapes of an operation's bodies, for OpenAPI.
#[derive(Clone, Default)]
pub struct Shape {
    /// The query string.
    pub query: Option<SchemaOf>,
    /// Content types and schemas of the request's body.
    pub request: Vec<(&'static str, SchemaOf)>,
    /// The successful answer's status and body.
    pub answer: Option<(u16, Option<SchemaOf>)>,
    /// Another successful answer.
    pub instead: Option<(u16, SchemaOf)>,
    /// Whether it may answer with server-sent events.
    pub events: bool,
    /// Whether the connection may become something else's.
    pub switches: bool,
    /// Whether it answers with bytes as they are.
    pub bytes: bool,
}

/// An operation with its handler.
#[derive(Clone)]
pub struct Route {
    /// The row of the table.
    pub operation: Operation,
    handler: Handler,
    /// The shapes of its bodies.
    pub shape: Shape,
}

impl Route {
    /// A route whose answer has no body.
    pub fn new(operation: Operation, handler: Handler) -> Self {
        let shape = Shape { answer: Some((204, None)), ..Shape::default() };
        Self { operation, handler, shape }
    }

    /// It answers `status` with a `T`.
    #[must_use]
    pub fn answers<T: JsonSchema>(mut self, status: u16) -> Self {
        self.shape.answer = Some((status, Some(|generator| generator.subschema_for::<T>())));
        self
    }

    /// It may answer `status` with a `T` instead.
    #[must_use]
    pub fn or_answers<T: JsonSchema>(mut self, status: u16) -> Self {
        self.shape.instead = Some((status, |generator| generator.subschema_for::<T>()));
        self
    }

    /// It answers with server-sent events where it has no other answer, or is asked to.
    #[must_use]
    pub fn streams(mut self) -> Self {
        self.shape.answer = self.shape.answer.filter(|(status, _)| *status != 204).or(Some((200, None)));
        self.shape.events = true;
        self
    }

    /// The connection may become something else's, when it is asked to.
    #[must_use]
    pub fn switches(mut self) -> Self {
        self.shape.switches = true;
        self
    }

    /// It answers with bytes as they are.
    #[must_use]
    pub fn answers_bytes(mut self) -> Self {
        self.shape.answer = Some((200, None));
        self.shape.bytes = true;
        self
    }

    /// It takes bytes as they are.
    #[must_use]
    pub fn takes_bytes(mut self) -> Self {
        self.shape
            .request
            .push(("application/octet-stream", |_| schemars::json_schema!({"type": "string", "format": "binary"})));
        self
    }

    /// It takes a `T` as JSON.
    #[must_use]
    pub fn takes<T: JsonSchema>(self) -> Self {
        self.takes_as::<T>("application/json")
    }

    /// It takes a `T` as another content type too.
    #[must_use]
    pub fn takes_as<T: JsonSchema>(mut self, content_type: &'static str) -> Self {
        self.shape.request.push((content_type, |generator| generator.subschema_for::<T>()));
        self
    }

    /// It takes a `T` as query string.
    #[must_use]
    pub fn queried_by<T: JsonSchema>(mut self) -> Self {
        self.shape.query = Some(|generator| generator.subschema_for::<T>());
        self
    }

    /// Adds the route to a router.
    pub fn mount(self, router: Router<Arc<App>>) -> Router<Arc<App>> {
        let Self { operation, handler, .. } = self;
        let filter = match operation.method() {
            Method::Get => MethodFilter::GET,
            Method::Post => MethodFilter::POST,
            Method::Put => MethodFilter::PUT,
            Method::Delete => MethodFilter::DELETE,
        };
        let served = on(filter, move |State(app): State<Arc<App>>, parameters: RawParameters, request: Request| {
            let parameters = decoded(parameters);
            async move {
                match parameters {
                    Ok(parameters) => serve(app, operation, handler, parameters, request).await,
                    Err(fault) => Refusal(fault).into_response(),
                }
            }
        });
        // The rest of a path is one parameter, slashes and all.
        router.route(&operation.path().replace("{path}", "{*path}"), served)
    }
}

/// Path parameters as the router found them.
type RawParameters = Result<RawPathParams, RawPathParamsRejection>;

fn decoded(raw: RawParameters) -> Result<Parameters, Fault> {
    let raw =
        raw.map_err(|error| Fault::new(Code::Malformed, "the path is not UTF-8 when decoded").caused_by(error))?;
    Ok(raw.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
}
