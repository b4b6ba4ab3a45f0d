//! Routes and their description, from one table: a route that is not described cannot exist.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodRouter, on};
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{
    HttpMethod, Operation, OperationBuilder, ParameterBuilder, ParameterIn, PathItem, Paths,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{
    ComponentsBuilder, KnownFormat, Object, ObjectBuilder, Schema, SchemaFormat, Type,
};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Info, License, OpenApi, OpenApiBuilder, Ref, RefOr, Required, Tag};
use utoipa::{IntoParams, ToSchema};

use crate::naming::lower_camel;
use crate::problem::ProblemDocument;
use crate::state::Gateway;
use crate::verbs::route_path;

type Schemas = Vec<(String, RefOr<Schema>)>;

/// One route: how it is served and what the document says of it.
pub struct Route {
    /// `GET`, `POST` …
    pub method: http::Method,
    /// As callers write it: `/v1/tickets/{id}:submit`.
    pub path: &'static str,
    /// The RPC behind it, `callboard.tickets.v1.TicketService/SubmitTicket`; empty: several or none.
    pub rpc: &'static str,
    /// Whether it needs no token.
    pub open: bool,
    service: MethodRouter<Arc<Gateway>>,
    tag: &'static str,
    operation: OperationBuilder,
    responses: BTreeMap<&'static str, ResponseBuilder>,
    schemas: Schemas,
    conditional: bool,
    id: String,
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

impl Route {
    fn new<H, T>(method: http::Method, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<Gateway>>,
        T: 'static,
    {
        let filter =
            axum::routing::MethodFilter::try_from(method.clone()).unwrap_or(axum::routing::MethodFilter::GET);
        Self {
            method,
            path,
            rpc: "",
            open: false,
            service: on(filter, handler),
            tag: "",
            operation: OperationBuilder::new(),
            responses: BTreeMap::new(),
            schemas: Vec::new(),
            conditional: false,
            id: String::new(),
        }
    }

    /// A route that reads.
    pub fn get<H: Handler<T, Arc<Gateway>>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self::new(http::Method::GET, path, handler)
    }
    /// A route that makes something, or a verb.
    pub fn post<H: Handler<T, Arc<Gateway>>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self::new(http::Method::POST, path, handler)
    }
    /// A route that creates or replaces.
    pub fn put<H: Handler<T, Arc<Gateway>>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self::new(http::Method::PUT, path, handler)
    }
    /// A route that edits.
    pub fn patch<H: Handler<T, Arc<Gateway>>, T: 'static>(path: &'static str, handler: H) -> Self {
        let mask = ParameterBuilder::new()
            .name("updateMask")
            .parameter_in(ParameterIn::Query)
            .description(Some(
                "Fields to change, separated by commas; default: those in the body. Null clears.",
            ))
            .schema(Some(text()))
            .build();
        let mut route = Self::new(http::Method::PATCH, path, handler);
        route.operation = route.operation.parameter(mask);
        route
    }
    /// A route that removes.
    pub fn delete<H: Handler<T, Arc<Gateway>>, T: 'static>(path: &'static str, handler: H) -> Self {
        let mut route = Self::new(http::Method::DELETE, path, handler);
        route.responses.insert("204", ResponseBuilder::new().description("Removed."));
        route
    }

    /// The RPC behind it; also names the operation.
    pub fn rpc(mut self, rpc: &'static str) -> Self {
        self.rpc = rpc;
        let name = rpc.rsplit('/').next().unwrap_or(rpc);
        self.named(&format!("{}{}", name[..1].to_lowercase(), &name[1..]))
    }

    /// The operation's id, where no RPC gives it.
    pub fn named(mut self, id: &str) -> Self {
        id.clone_into(&mut self.id);
        self
    }

    /// What it does, for a person, with the rule.
    pub fn about(mut self, summary: &str) -> Self {
        self.operation = self.operation.summary(Some(summary));
        self
    }

    /// Needs no token.
    pub fn open(mut self) -> Self {
        self.open = true;
        self
    }

    /// Takes `If-Match`.
    pub fn conditional(mut self) -> Self {
        self.conditional = true;
        self
    }

    /// Takes a JSON body.
    pub fn body<T: ToSchema>(self) -> Self {
        self.body_as::<T>("application/json", true)
    }

    /// Takes a file as it is.
    pub fn takes_bytes<T: ToSchema>(self) -> Self {
        self.body_as::<T>("application/octet-stream", true)
    }

    /// Takes a body of this media type, which may be left out where it is not required.
    pub fn body_as<T: ToSchema>(mut self, media_type: &str, is_required: bool) -> Self {
        let schema = self.component::<T>();
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let required = if is_required { Required::True } else { Required::False };
        self.operation = self.operation.request_body(Some(
            RequestBodyBuilder::new().content(media_type, content).required(Some(required)).build(),
        ));
        self
    }

    /// Takes query parameters.
    pub fn query<T: IntoParams>(mut self) -> Self {
        for mut parameter in T::into_params(|| Some(ParameterIn::Query)) {
            parameter.name = lower_camel(&parameter.name);
            self.operation = self.operation.parameter(parameter);
        }
        self
    }

    /// Answers 200 with this.
    pub fn answers<T: ToSchema>(self) -> Self {
        self.answers_as::<T>("200", "application/json")
    }

    /// Answers 200 with this instead of 204.
    pub fn answers_instead<T: ToSchema>(mut self) -> Self {
        self.responses.clear();
        self.answers::<T>()
    }

    /// Answers 204.
    pub fn answers_nothing(mut self) -> Self {
        self.responses.insert("204", ResponseBuilder::new().description("Done."));
        self
    }

    /// Answers 201 with this.
    pub fn creates<T: ToSchema>(self) -> Self {
        self.answers_as::<T>("201", "application/json")
    }

    /// Answers with this status and media type.
    pub fn answers_as<T: ToSchema>(mut self, status: &'static str, media_type: &str) -> Self {
        let schema = self.component::<T>();
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let description = if status == "201" { "Made." } else { "Done." };
        self.responses
            .insert(status, ResponseBuilder::new().description(description).content(media_type, content));
        self
    }

    /// Becomes a WebSocket: its first message, those that follow, and what comes back. `OpenAPI` knows no more of it
    /// than the shapes.
    pub fn speaks<First: ToSchema, Said: ToSchema, Heard: ToSchema>(mut self) -> Self {
        self.component::<First>();
        self.component::<Said>();
        let schema = self.component::<Heard>();
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let response = ResponseBuilder::new().description("Both sides speak from now on.");
        self.responses.insert("101", response.content("application/json", content));
        self
    }

    fn component<T: ToSchema>(&mut self) -> RefOr<Schema> {
        T::schemas(&mut self.schemas);
        let name = T::name().into_owned();
        self.schemas.push((name.clone(), T::schema()));
        Ref::from_schema_name(name).into()
    }

    fn describe(self) -> (HttpMethod, &'static str, Operation, Schemas) {
        let mut operation = self.operation.tag(self.tag).operation_id(Some(self.id));
        for name in self.path.split(['{', '}']).skip(1).step_by(2) {
            operation = operation.parameter(
                ParameterBuilder::new()
                    .name(name)
                    .parameter_in(ParameterIn::Path)
                    .required(Required::True)
                    .schema(Some(match name {
                        "step" | "file" | "sequence" => text(),
                        _ => uuid(),
                    }))
                    .build(),
            );
        }
        let reads = self.method == http::Method::GET;
        if !reads && !self.open {
            operation = operation.parameter(header_parameter(
                "Idempotency-Key",
                "Any text of 1 to 255 characters; sending it again with the same request answers what the first one \
                 answered. Without it every request is a new one.",
            ));
        }
        if self.conditional {
            operation = operation.parameter(header_parameter(
                "If-Match",
                "The ETag that was seen; 412 when the state has changed since.",
            ));
        }
        for (status, mut response) in self.responses {
            if self.conditional && status != "204" {
                let tag =
                    HeaderBuilder::new().schema(Some(text())).description(Some("Strong entity tag.")).build();
                response = response.header("ETag", tag);
            }
            operation = operation.response(status, response.build());
        }
        let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let default = ResponseBuilder::new()
            .description("A problem document (RFC 9457); the reasons are explained at /docs/errors.")
            .content("application/problem+json", problem)
            .build();
        operation = operation.response("default", default);
        if !self.open {
            operation = operation.security(SecurityRequirement::new("bearer", Vec::<String>::new()));
        }
        let method = match self.method {
            http::Method::POST => HttpMethod::Post,
            http::Method::PUT => HttpMethod::Put,
            http::Method::PATCH => HttpMethod::Patch,
            http::Method::DELETE => HttpMethod::Delete,
            _ => HttpMethod::Get,
        };
        (method, self.path, operation.build(), self.schemas)
    }
}

fn text() -> Object {
    ObjectBuilder::new().schema_type(Type::String).build()
}

fn uuid() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)))
        .build()
}

fn header_parameter(name: &str, description: &str) -> utoipa::openapi::path::Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .description(Some(description))
        .schema(Some(text()))
        .build()
}

/// The routes of one resource.
#[derive(Debug)]
pub struct Resource {
    /// Its name in the document.
    pub tag: &'static str,
    /// What it is.
    pub about: &'static str,
    /// Its routes.
    pub routes: Vec<Route>,
}

/// The router of all routes, as the rewritten paths want it.
pub fn router(resources: Vec<Resource>) -> Router<Arc<Gateway>> {
    let mut by_path: BTreeMap<String, MethodRouter<Arc<Gateway>>> = BTreeMap::new();
    for route in resources.into_iter().flat_map(|resource| resource.routes) {
        let service = by_path.remove(&route_path(route.path)).unwrap_or_default();
        by_path.insert(route_path(route.path), service.merge(route.service));
    }
    let mut router = Router::new().without_v07_checks();
    for (path, service) in by_path {
        router = router.route(&path, service.fallback(crate::app::method_not_allowed));
    }
    router
}

/// The OpenAPI 3.1 document.
pub fn document(resources: Vec<Resource>) -> OpenApi {
    let mut paths = Paths::new();
    let mut tags = Vec::new();
    let mut schemas: BTreeMap<String, RefOr<Schema>> = BTreeMap::new();
    schemas.insert("Violation".to_owned(), <crate::problem::Violation as utoipa::PartialSchema>::schema());
    schemas.insert("Problem".to_owned(), <ProblemDocument as utoipa::PartialSchema>::schema());
    for resource in resources {
        let mut tag = Tag::new(resource.tag);
        tag.description = Some(resource.about.to_owned());
        tags.push(tag);
        for mut route in resource.routes {
            route.tag = resource.tag;
            let (method, path, operation, found) = route.describe();
            schemas.extend(found);
            let item = PathItem::new(method, operation);
            match paths.paths.get_mut(path) {
                Some(existing) => existing.merge_operations(item),
                None => drop(paths.paths.insert(path.to_owned(), item)),
            }
        }
    }
    let mut info = Info::new("Callboard", env!("CARGO_PKG_VERSION"));
    info.description = Some(include_str!("openapi.md").to_owned());
    let mut license = License::new("Apache-2.0");
    license.identifier = Some("Apache-2.0".to_owned());
    info.license = Some(license);
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("An access token of an employee, a customer user or a code user."))
        .build();
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme("bearer", SecurityScheme::Http(bearer))
        .build();
    OpenApiBuilder::new().info(info).paths(paths).components(Some(components)).tags(Some(tags)).build()
}
