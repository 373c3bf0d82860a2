//! What has to be known of a method that is served over HTTP, beside its descriptor.

use banyan_transcode::{HttpRule, Options};
use http::StatusCode;
use prost_reflect::MethodDescriptor;

/// What stands at the top of a document.
#[derive(Debug, Clone, Default)]
pub struct Info {
    pub title: String,
    pub version: String,
    /// Markdown, before what the document says about its own JSON.
    pub description: String,
    /// The cookie that guests are known by.
    pub guest_cookie: String,
}

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Anyone,
    /// Guests without an account, known by a cookie that is given to whoever comes without one.
    Guest,
    /// Whoever has a JSON Web Token that counts.
    Token,
    /// Whoever has the operators' bearer token.
    Operator,
}

/// How the errors of an operation look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorShape {
    /// `{"error":{"code":404,"status":"NOT_FOUND","message":"..","details":[..]}}`
    Google,
    /// `{"error":".."}`
    Simple,
    /// `{"errors":[{"title":"..","detail":".."}]}`
    Provider,
    /// `application/problem+json` (RFC 9457)
    Problem,
}

/// One of several places that the same operations are mounted at, told apart by the first variable of the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// `/cities`
    pub prefix: String,
    /// What may follow it.
    pub members: Vec<String>,
}

/// One binding of a method, as it is served.
#[derive(Debug, Clone)]
pub struct Operation {
    pub method: MethodDescriptor,
    pub rule: HttpRule,
    pub mount: Option<Mount>,
    /// Only requests with all these query keys are meant.
    pub query: Vec<String>,
    /// The name of what follows, for schemas whose JSON is not the canonical one.
    pub profile: String,
    pub json: Options,
    pub errors: ErrorShape,
    pub success: StatusCode,
    /// Fixed bodies of errors.
    pub error_bodies: Vec<(StatusCode, String)>,
    pub access: Access,
}
