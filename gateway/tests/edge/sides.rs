//! Two systems that note what reaches them, and one question asked over REST or gRPC.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::Request,
    response::{IntoResponse as _, Response},
    routing::any,
};
use banyan_gateway::config::Config;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use http_body_util::{BodyExt as _, Full};
use prost::Message as _;
use serde_json::{Value, json};
use tonic::transport::Channel;
use tower::{Service as _, ServiceExt as _};

use super::{
    shop::Item,
    world::{World, serve},
};

/// What reached one of both systems.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) side: &'static str,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What a client was told.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) headers: HeaderMap,
    /// A status of HTTP or of gRPC.
    pub(crate) status: u32,
}

/// How a question is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Rest,
    Grpc,
}

/// A gateway before both systems, which nobody follows.
pub(crate) struct Sides {
    pub(crate) world: World,
    channel: Channel,
    seen: Arc<Mutex<Vec<Seen>>>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct FindItem {
    #[prost(int64, tag = "1")]
    pub(crate) id: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct CreateItem {
    #[prost(string, tag = "1")]
    pub(crate) title: String,
    #[prost(int64, tag = "2")]
    pub(crate) price: i64,
}

impl Told {
    pub(crate) fn side(&self) -> &str {
        self.headers["x-banyan-side"].to_str().unwrap()
    }

    /// The cookie that who brings no subject is given.
    pub(crate) fn minted(&self) -> Option<&HeaderValue> {
        let mut cookies = self.headers.get_all("set-cookie").iter();
        cookies.find(|cookie| cookie.as_bytes().starts_with(b"shop_subject="))
    }

    pub(crate) fn is_fine(&self) -> bool {
        [0, 200, 201].contains(&self.status)
    }
}

impl Sides {
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Sides {
        let seen = Arc::default();
        let old = serve(noting("legacy", &seen)).await;
        let new = serve(noting("grpc", &seen)).await;
        let world = World::with(|config| {
            config.set_upstream("old", format!("http://{old}")).unwrap();
            config
                .set_upstream("shop", format!("http://{new}"))
                .unwrap();
            config.rollouts.get_mut("items").unwrap().follow = None;
            change(config);
        })
        .await;
        let url = format!("http://{}", world.gateway.public);
        let channel = Channel::from_shared(url).unwrap().connect().await.unwrap();
        Sides {
            world,
            channel,
            seen,
        }
    }

    /// What has reached both systems since this was last asked.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    /// Asks over REST, with a body where it is no `GET`.
    pub(crate) async fn rest(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Told {
        let request = self.world.client.request(method, self.world.url(path));
        let response = request.headers(headers).body(body).send().await.unwrap();
        let told = Told {
            headers: response.headers().clone(),
            status: response.status().as_u16().into(),
        };
        response.bytes().await.unwrap();
        told
    }

    /// Calls a method of the shop with what is framed already.
    pub(crate) async fn call(&self, method: &str, headers: HeaderMap, framed: Bytes) -> Told {
        let body = tonic::body::Body::new(Full::new(framed));
        let mut request = http::Request::post(format!("/shop.v1.ShopService/{method}"));
        *request.headers_mut().unwrap() = headers;
        let request = request
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        let mut channel = self.channel.clone();
        let ready = channel.ready().await.unwrap();
        let response = ready.call(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap();
        let trailers = body.trailers().cloned().unwrap_or_default();
        let status = parts.headers.get("grpc-status");
        let status = status.or(trailers.get("grpc-status")).unwrap();
        Told {
            status: status.to_str().unwrap().parse().unwrap(),
            headers: parts.headers,
        }
    }

    /// Reads an item, which both protocols can.
    pub(crate) async fn find(&self, protocol: Protocol, id: i64, headers: HeaderMap) -> Told {
        match protocol {
            Protocol::Rest => {
                let path = format!("/api/items?id={id}");
                self.rest(Method::GET, &path, headers, Bytes::new()).await
            }
            Protocol::Grpc => {
                let message = FindItem { id }.encode_to_vec();
                self.call("FindItem", headers, framed(0, &message)).await
            }
        }
    }

    /// Writes one, which both protocols can.
    pub(crate) async fn create(&self, protocol: Protocol, title: &str, headers: HeaderMap) -> Told {
        match protocol {
            Protocol::Rest => {
                let body = rest_item(title).to_string().into();
                self.rest(Method::POST, "/api/items", headers, body).await
            }
            Protocol::Grpc => {
                let message = grpc_item(title);
                self.call("CreateItem", headers, framed(0, &message)).await
            }
        }
    }
}

pub(crate) fn rest_item(title: &str) -> Value {
    json!({"title": title, "price": 1})
}

pub(crate) fn grpc_item(title: &str) -> Vec<u8> {
    let title = title.to_owned();
    CreateItem { title, price: 1 }.encode_to_vec()
}

/// A message as it stands on the wire; `flag` 1 for a packed one.
pub(crate) fn framed(flag: u8, message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[flag], &length[..], message].concat().into()
}

pub(crate) fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pairs = pairs.iter().map(|(name, value)| {
        let name = http::HeaderName::from_static(name);
        (name, HeaderValue::from_str(value).unwrap())
    });
    pairs.collect()
}

fn noting(side: &'static str, seen: &Arc<Mutex<Vec<Seen>>>) -> Router {
    let seen = Arc::clone(seen);
    Router::new().fallback(any(move |request: Request| {
        let seen = Arc::clone(&seen);
        async move {
            let (parts, body) = request.into_parts();
            let body = to_bytes(body, usize::MAX).await.unwrap();
            seen.lock().unwrap().push(Seen {
                side,
                path: parts.uri.path().to_owned(),
                headers: parts.headers,
                body,
            });
            match side {
                "grpc" => item(),
                _ => Json(json!({"name": "old", "price": 1})).into_response(),
            }
        }
    }))
}

/// An item as a service answers with it.
fn item() -> Response {
    let item = Item {
        name: "new".to_owned(),
        ..Item::default()
    };
    let trailers = headers(&[("grpc-status", "0")]);
    let body = Full::new(framed(0, &item.encode_to_vec()));
    let body = body.with_trailers(async { Some(Ok(trailers)) });
    let mut response = Response::new(Body::new(body));
    *response.headers_mut() = headers(&[("content-type", "application/grpc")]);
    response
}
