//! What is served where: whole annotated services, and single routes.

use std::collections::BTreeMap;

use banyan_transcode::Code;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConfigError, MetadataName, bad_value};

/// One of the gateway's two addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ListenerName {
    /// Clients.
    Public,
    /// Operators.
    Ops,
}

impl ListenerName {
    /// As configuration, logs and metrics write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ListenerName::Public => "public",
            ListenerName::Ops => "ops",
        }
    }
}

fn public_only() -> Vec<ListenerName> {
    vec![ListenerName::Public]
}

/// `[[services]]`: every method with a `google.api.http` annotation becomes a route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceConfig {
    /// Full name, `package.Service`.
    pub service: String,
    /// The gRPC upstream; with `cells`, each member's own is used instead.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub upstream: String,
    /// How its JSON looks.
    pub profile: String,
    #[serde(default = "public_only")]
    pub listeners: Vec<ListenerName>,
    /// Whether callers are guests with a secret cookie.
    #[serde(default)]
    pub guest: bool,
    /// Serves nobody without a token that counts by `[tokens]`: 401, or UNAUTHENTICATED for gRPC clients.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_token: bool,
    /// Name of the `[cells.NAME]` whose members it is mounted for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cells: Option<String>,
}

/// `[[routes]]`: exactly one of `rpc`, `forward`, `fixed` and `redirect`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RouteConfig {
    /// HTTP methods; empty for any.
    pub methods: Vec<String>,
    /// A path template, `/api/movies/{id}`.
    pub path: String,
    /// Only requests with all these query keys.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<String>,
    /// Empty for the public one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub listeners: Vec<ListenerName>,
    /// On the ops listener: served without the operators' token. For the files of pages that ask for it, never for data.
    pub open: bool,
    /// How JSON and errors look; the surface's where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,

    /// Calls this method, `package.Service/Method`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpc: Option<String>,
    /// The gRPC upstream of `rpc`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// What the body is read into: nothing, `*`, or a field.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub body: String,
    /// The field of the response that is the answer; the whole message where empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub response_body: String,
    /// HTTP status of a success; 200 where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success_status: Option<u16>,
    /// Fixed bodies by gRPC code name, such as `UNAVAILABLE`; the HTTP status stays that of the code.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub error_bodies: BTreeMap<Code, String>,
    /// The upstream's where absent, and for streams that of the profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// Headers that the service is told as metadata, beside those of the profile.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub request_headers: Vec<MetadataName>,
    /// Metadata of the answer that clients are told as headers, beside that of the profile.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub response_headers: Vec<MetadataName>,
    /// Whether callers are guests with a secret cookie.
    pub guest: bool,
    /// Serves nobody without a token that counts by `[tokens]`: 401, or UNAUTHENTICATED for gRPC clients. A method that
    /// several routes call wants one of its gRPC clients if any of them does.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub require_token: bool,
    /// Whether its requests change nothing. Such a request may be asked of both sides and sent again, and where gRPC fails
    /// legacy may answer it; any other one is done once, by the owner of writes, and its subject finds it afterwards. Where
    /// absent the contract says it (`idempotency_level = NO_SIDE_EFFECTS`), else the HTTP method. It holds for gRPC clients
    /// too; a method that several routes of a rollout call changes nothing if all of them say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub safe: Option<bool>,
    /// The rollout that splits it between `rpc` and `legacy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<String>,
    /// The HTTP upstream of the rollout's legacy side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub legacy: Option<String>,

    /// Passes requests on to this HTTP upstream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward: Option<String>,
    /// Always answers this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed: Option<FixedConfig>,
    /// Redirects there with 307.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect: Option<String>,
}

impl RouteConfig {
    /// Whether somebody is asked whom a declared safety could concern, and whether it is said of what.
    pub(super) fn check_safe(&self) -> Result<(), ConfigError> {
        let Some(safe) = self.safe else {
            return Ok(());
        };
        let allowed = match (self.rpc.is_some() || self.forward.is_some(), safe) {
            (false, _) => "it is allowed only beside `rpc` or `forward`: this route asks nobody",
            (true, true) if self.methods.is_empty() => {
                "it is allowed only beside `methods`: any method may be one that changes something"
            }
            (true, _) => return Ok(()),
        };
        let methods = match self.methods.as_slice() {
            [] => "*".to_owned(),
            methods => methods.join("|"),
        };
        let key = format!("routes {methods} {}: safe", self.path);
        Err(bad_value(&key, &safe.to_string(), allowed))
    }
}

/// An answer that never changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FixedConfig {
    pub status: u16,
    pub content_type: String,
    pub body: String,
}

/// `[[surfaces]]`: how the gateway's own errors look where no route says it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SurfaceConfig {
    /// Paths at or below this one; the longest match decides.
    pub prefix: String,
    pub profile: String,
}

/// `[guest]`: the secret by which a guest without an account is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GuestConfig {
    /// The cookie; minted where absent.
    pub cookie: String,
    /// The gRPC metadata that carries it to services. A header of this name is never taken from outside.
    pub metadata: String,
}

impl Default for GuestConfig {
    fn default() -> Self {
        GuestConfig {
            cookie: "banyan_guest".to_owned(),
            metadata: "x-banyan-guest".to_owned(),
        }
    }
}

/// `[cells.NAME]`: one set of routes, mounted once for each of several upstreams.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CellsConfig {
    /// Where the members are listed, and under which each is mounted: `/cities` and `/cities/ID/...`.
    pub prefix: String,
    /// The error for an unknown member; `{id}` stands for what was asked for.
    pub unknown: String,
    /// How the list and its errors look.
    pub profile: String,
    /// The member that is also mounted without a prefix.
    pub default: u64,
    pub members: Vec<CellConfig>,
}

/// One member of `[cells.NAME]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CellConfig {
    pub id: u64,
    pub name: String,
    /// The gRPC upstream that serves it.
    pub upstream: String,
}
