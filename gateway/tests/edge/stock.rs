//! A service of streams and oddities, and a gateway in front of it.

use std::{
    collections::HashMap,
    convert::Infallible,
    path::Path,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    response::Response,
    routing::{MethodRouter, post},
};
use banyan_gateway::config::{
    Config, DescriptorSource, ProfileConfig, ServiceConfig, UpstreamConfig,
};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use http_body_util::StreamBody;
use tonic::{Status, Streaming, metadata::MetadataValue, server::Grpc};
use tonic_prost::ProstCodec;
use tower::service_fn;

use super::world::{World, serve};

#[derive(Clone, PartialEq, prost::Message)]
struct Item {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    etag: String,
    #[prost(string, tag = "3")]
    text: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Named {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    etag: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Watch {
    #[prost(int32, tag = "1")]
    count: i32,
    #[prost(int32, tag = "2")]
    size: i32,
    #[prost(int32, tag = "3")]
    then: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Entry {
    #[prost(string, tag = "1")]
    shelf: String,
    #[prost(int64, tag = "2")]
    amount: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Summary {
    #[prost(int32, tag = "1")]
    count: i32,
    #[prost(int64, tag = "2")]
    sum: i64,
    #[prost(string, tag = "3")]
    shelf: String,
    #[prost(string, tag = "4")]
    content_type: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HttpBody {
    #[prost(string, tag = "1")]
    content_type: String,
    #[prost(bytes = "vec", tag = "2")]
    data: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Upload {
    #[prost(string, tag = "1")]
    shelf: String,
    #[prost(message, optional, tag = "2")]
    content: Option<HttpBody>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct TellRequest {
    #[prost(string, tag = "1")]
    text: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct TellResponse {
    #[prost(map = "string, string", tag = "1")]
    metadata: HashMap<String, String>,
    #[prost(string, tag = "2")]
    text: String,
}

type Items<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// What the service has sent and taken so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) sent: Arc<AtomicUsize>,
    pub(crate) taken: Arc<AtomicUsize>,
}

/// A gateway in front of the service.
pub(crate) async fn world() -> (World, Counters) {
    world_with(|_| {}).await
}

/// The same with a changed configuration.
pub(crate) async fn world_with(change: impl FnOnce(&mut Config)) -> (World, Counters) {
    let counters = Counters::default();
    let address = serve(router(&counters)).await;
    let folder = tempfile::tempdir().unwrap();
    let set = descriptors(folder.path());
    let world = World::with(|config| {
        config.descriptors.push(DescriptorSource::File(set.into()));
        let upstream = UpstreamConfig {
            grpc: Some(format!("http://{address}")),
            deadline_ms: 2_000,
            ..UpstreamConfig::default()
        };
        config.upstreams.insert("stock".to_owned(), upstream);
        config
            .profiles
            .insert("stock".to_owned(), ProfileConfig::default());
        let service =
            "service = \"stock.v1.StockService\"\nupstream = \"stock\"\nprofile = \"stock\"";
        let service: ServiceConfig = toml::from_str(service).unwrap();
        config.services.push(service);
        change(config);
    })
    .await;
    (world, counters)
}

/// Changes the profile of the service.
pub(crate) fn profile(config: &mut Config) -> &mut ProfileConfig {
    config.profiles.get_mut("stock").unwrap()
}

fn descriptors(folder: &Path) -> String {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/edge");
    let proto = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto");
    let mut compiler = protox::Compiler::new([tests, proto]).unwrap();
    compiler
        .include_imports(true)
        .open_file("stock.proto")
        .unwrap();
    let path = folder.join("stock.binpb");
    std::fs::write(&path, compiler.encode_file_descriptor_set()).unwrap();
    path.to_str().unwrap().to_owned()
}

fn router(counters: &Counters) -> Router {
    let (sent, taken) = (counters.sent.clone(), counters.taken.clone());
    let at = |method: &str| format!("/stock.v1.StockService/{method}");
    Router::new()
        .route(&at("GetItem"), unary(get_item))
        .route(&at("DeleteItem"), unary(delete_item))
        .route(
            &at("Watch"),
            server(move |request| watch(request, sent.clone())),
        )
        .route(
            &at("Collect"),
            client(move |entries| collect(entries, taken.clone())),
        )
        .route(&at("Chat"), bidirectional(chat))
        .route(
            &at("Download"),
            unary(async |_: Named| Ok(piece("image/png", b"\x89PNG\0\xff"))),
        )
        .route(&at("DownloadPieces"), server(pieces))
        .route(
            &at("Upload"),
            unary(async |upload: Upload| Ok(add(Summary::default(), upload))),
        )
        .route(&at("UploadPieces"), client(upload_pieces))
        .route(&at("Tell"), post(tell))
        .route(&at("Odd"), post(odd))
}

async fn get_item(request: Named) -> Result<Item, Status> {
    let text = match request.name.as_str() {
        "items/large" => "all the same ".repeat(2_000),
        "items/slow" => std::future::pending().await,
        _ => String::new(),
    };
    Ok(Item {
        name: request.name,
        etag: "v1".to_owned(),
        text,
    })
}

async fn delete_item(request: Named) -> Result<Item, Status> {
    match request.etag.as_str() {
        "" | "v1" => Ok(Item {
            name: request.name,
            etag: "v2".to_owned(),
            text: String::new(),
        }),
        _ => Err(Status::aborted("the item has changed")),
    }
}

async fn watch(request: Watch, sent: Arc<AtomicUsize>) -> Result<Items<Item>, Status> {
    let count = match request.count {
        0 => usize::MAX,
        -1 => return Err(Status::not_found("no such stock")),
        count => usize::try_from(count).unwrap_or_default(),
    };
    let text = "x".repeat(usize::try_from(request.size).unwrap());
    let items = stream::iter(0..count).map(move |index| {
        sent.fetch_add(1, Ordering::SeqCst);
        Ok(Item {
            name: format!("items/{index}"),
            etag: String::new(),
            text: text.clone(),
        })
    });
    Ok(match request.then {
        0 => Box::pin(items),
        1 => Box::pin(items.chain(stream::iter([Err(Status::data_loss("the shelf fell"))]))),
        _ => Box::pin(items.chain(stream::pending())),
    })
}

async fn collect(
    mut entries: Streaming<Entry>,
    taken: Arc<AtomicUsize>,
) -> Result<Summary, Status> {
    let mut summary = Summary::default();
    while let Some(entry) = entries.message().await? {
        taken.fetch_add(1, Ordering::SeqCst);
        if entry.amount == -1 {
            std::future::pending::<()>().await;
        }
        summary.count += 1;
        summary.sum += entry.amount;
        summary.shelf.push_str(&entry.shelf);
    }
    Ok(summary)
}

async fn chat(entries: Streaming<Entry>) -> Result<Items<Item>, Status> {
    Ok(Box::pin(entries.map(|entry| {
        Ok(Item {
            name: entry?.amount.to_string(),
            ..Item::default()
        })
    })))
}

async fn pieces(request: Named) -> Result<Items<HttpBody>, Status> {
    let whole = [
        Ok(piece("text/csv", b"a,b\n")),
        Ok(piece("", b"")),
        Ok(piece("", b"1,2\n")),
    ];
    let end = (request.name == "files/broken").then(|| Err(Status::data_loss("torn")));
    Ok(Box::pin(stream::iter(whole.into_iter().chain(end))))
}

fn piece(content_type: &str, data: &[u8]) -> HttpBody {
    HttpBody {
        content_type: content_type.to_owned(),
        data: data.to_vec(),
    }
}

fn add(mut summary: Summary, upload: Upload) -> Summary {
    let content = upload.content.unwrap_or_default();
    summary.count += 1;
    summary.sum += i64::try_from(content.data.len()).unwrap();
    summary.shelf.push_str(&upload.shelf);
    summary.content_type.push_str(&content.content_type);
    summary
}

async fn upload_pieces(mut uploads: Streaming<Upload>) -> Result<Summary, Status> {
    let mut summary = Summary::default();
    while let Some(upload) = uploads.message().await? {
        summary = add(summary, upload);
    }
    Ok(Summary {
        count: 0,
        ..summary
    })
}

/// Tells the metadata that it was called with, in several places.
async fn tell(request: Request) -> Result<Response, Infallible> {
    let service = service_fn(|request: tonic::Request<TellRequest>| async move {
        let headers = request.metadata().clone().into_headers();
        let metadata = headers
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_str().unwrap().to_owned()));
        let answer = TellResponse {
            metadata: metadata.collect(),
            text: request.into_inner().text,
        };
        let mut response = tonic::Response::new(answer);
        let metadata = response.metadata_mut();
        metadata.insert("x-cost", MetadataValue::from_static("7"));
        metadata.insert("x-secret", MetadataValue::from_static("hidden"));
        metadata.insert_bin("x-key-bin", MetadataValue::from_bytes(b"\x00\x01"));
        Ok::<_, Status>(response)
    });
    let response = Grpc::new(ProstCodec::<TellResponse, TellRequest>::default())
        .unary(service, request)
        .await;
    Ok(response.map(Body::new))
}

/// Answers that are not gRPC, or not all of it.
async fn odd(request: Request) -> Response {
    let bytes = axum::body::to_bytes(request.into_body(), 1_000)
        .await
        .unwrap();
    let name = String::from_utf8_lossy(&bytes).into_owned();
    let is = |odd: &str| name.contains(odd);
    if is("unavailable") {
        let page = Response::builder()
            .status(503)
            .header("content-type", "text/html");
        return page.body(Body::from("<p>closed</p>")).unwrap();
    }
    if is("page") {
        return Response::builder()
            .header("content-type", "text/html")
            .body(Body::from("<p>hello</p>"))
            .unwrap();
    }
    let message = Bytes::from_static(b"\0\0\0\0\x03\x0a\x01x");
    let ok = HeaderMap::from_iter([(
        "grpc-status".parse().unwrap(),
        HeaderValue::from_static("0"),
    )]);
    let frames: Vec<Result<Frame<Bytes>, std::io::Error>> = match () {
        () if is("two") => vec![
            Ok(Frame::data(message.clone())),
            Ok(Frame::data(message)),
            Ok(Frame::trailers(ok)),
        ],
        () if is("none") => vec![Ok(Frame::trailers(ok))],
        () if is("packed") => vec![
            Ok(Frame::data(Bytes::from_static(b"\x01\0\0\0\x01x"))),
            Ok(Frame::trailers(ok)),
        ],
        () if is("cut") => vec![Ok(Frame::data(message.slice(..6))), Ok(Frame::trailers(ok))],
        () if is("reset") => vec![Ok(Frame::data(message)), Err(std::io::Error::other("gone"))],
        () if is("split") => message
            .iter()
            .map(|byte| Ok(Frame::data(Bytes::copy_from_slice(&[*byte]))))
            .chain([Ok(Frame::trailers(ok))])
            .collect(),
        () => vec![Ok(Frame::data(message))],
    };
    Response::builder()
        .header("content-type", "application/grpc")
        .body(Body::new(StreamBody::new(stream::iter(frames))))
        .unwrap()
}

fn unary<In, Out, F, Fut>(handler: F) -> MethodRouter
where
    In: prost::Message + Default + 'static,
    Out: prost::Message + Default + 'static,
    F: Fn(In) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Out, Status>> + Send + 'static,
{
    post(move |request: Request| async move {
        let service = service_fn(move |request: tonic::Request<In>| {
            let answer = handler(request.into_inner());
            async move { answer.await.map(tonic::Response::new) }
        });
        let mut grpc = Grpc::new(ProstCodec::<Out, In>::default());
        grpc.unary(service, request).await.map(Body::new)
    })
}

fn server<In, Out, F, Fut>(handler: F) -> MethodRouter
where
    In: prost::Message + Default + 'static,
    Out: prost::Message + Default + 'static,
    F: Fn(In) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Items<Out>, Status>> + Send + 'static,
{
    post(move |request: Request| async move {
        let service = service_fn(move |request: tonic::Request<In>| {
            let answer = handler(request.into_inner());
            async move { answer.await.map(tonic::Response::new) }
        });
        let mut grpc = Grpc::new(ProstCodec::<Out, In>::default());
        grpc.server_streaming(service, request).await.map(Body::new)
    })
}

fn client<In, Out, F, Fut>(handler: F) -> MethodRouter
where
    In: prost::Message + Default + 'static,
    Out: prost::Message + Default + 'static,
    F: Fn(Streaming<In>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Out, Status>> + Send + 'static,
{
    post(move |request: Request| async move {
        let service = service_fn(move |request: tonic::Request<Streaming<In>>| {
            let answer = handler(request.into_inner());
            async move { answer.await.map(tonic::Response::new) }
        });
        let mut grpc = Grpc::new(ProstCodec::<Out, In>::default());
        grpc.client_streaming(service, request).await.map(Body::new)
    })
}

fn bidirectional<In, Out, F, Fut>(handler: F) -> MethodRouter
where
    In: prost::Message + Default + 'static,
    Out: prost::Message + Default + 'static,
    F: Fn(Streaming<In>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Items<Out>, Status>> + Send + 'static,
{
    post(move |request: Request| async move {
        let service = service_fn(move |request: tonic::Request<Streaming<In>>| {
            let answer = handler(request.into_inner());
            async move { answer.await.map(tonic::Response::new) }
        });
        let mut grpc = Grpc::new(ProstCodec::<Out, In>::default());
        grpc.streaming(service, request).await.map(Body::new)
    })
}
