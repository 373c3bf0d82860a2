//! A service with every kind of method, a gateway before it, and a client.

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Router, body::Body, extract::Request, routing::post};
use banyan_gateway::config::{Config, ListenerName, ServiceConfig};
use futures::{Stream, StreamExt as _, stream};
use http::uri::PathAndQuery;
use tonic::{
    Code, Response, Status, Streaming, client::Grpc as Client, server::Grpc, transport::Channel,
};
use tonic_prost::ProstCodec;
use tonic_types::{ErrorDetails, StatusExt as _};
use tower::service_fn;

use crate::edge::world::{World, serve};

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Word {
    #[prost(string, tag = "1")]
    pub(crate) text: String,
    #[prost(int32, tag = "2")]
    pub(crate) count: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Heard {
    #[prost(map = "string, string", tag = "1")]
    pub(crate) metadata: HashMap<String, String>,
}

pub(crate) fn word(text: &str, count: i32) -> Word {
    Word {
        text: text.to_owned(),
        count,
    }
}

/// A gateway before the talking service.
pub(crate) struct Talk {
    pub(crate) world: World,
    pub(crate) client: Client<Channel>,
    /// Answers that the service began and nobody takes any more.
    dropped: Arc<AtomicUsize>,
}

impl Talk {
    pub(crate) async fn start() -> Talk {
        Talk::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Talk {
        let dropped = Arc::new(AtomicUsize::new(0));
        let address = serve(router(Arc::clone(&dropped))).await;
        let folder = tempfile::tempdir().unwrap();
        let descriptors = descriptors(folder.path());
        let world = World::with(|config| {
            config.descriptors.push(descriptors.try_into().unwrap());
            let mut upstream = config.upstreams["shop"].clone();
            upstream.grpc = Some(format!("http://{address}"));
            config.upstreams.insert("talk".to_owned(), upstream);
            config.services.push(ServiceConfig {
                service: "talk.v1.TalkService".to_owned(),
                upstream: "talk".to_owned(),
                profile: "canonical".to_owned(),
                listeners: vec![ListenerName::Public],
                guest: false,
                require_token: false,
                cells: None,
            });
            change(config);
        })
        .await;
        let client = client(&world).await;
        Talk {
            world,
            client,
            dropped,
        }
    }

    pub(crate) fn dropped(&self) -> usize {
        self.dropped.load(Ordering::SeqCst)
    }

    /// One message there, one back.
    pub(crate) async fn ask(&self, method: &str, text: &str) -> Result<Response<Word>, Status> {
        self.ask_with(method, tonic::Request::new(word(text, 1)))
            .await
    }

    pub(crate) async fn ask_with<In, Out>(
        &self,
        method: &str,
        request: tonic::Request<In>,
    ) -> Result<Response<Out>, Status>
    where
        In: prost::Message + Default + 'static,
        Out: prost::Message + Default + 'static,
    {
        unary(
            &self.client,
            &format!("/talk.v1.TalkService/{method}"),
            request,
        )
        .await
    }
}

pub(crate) async fn client(world: &World) -> Client<Channel> {
    let url = format!("http://{}", world.gateway.public);
    let channel = Channel::from_shared(url).unwrap().connect().await.unwrap();
    Client::new(channel)
}

pub(crate) async fn unary<In, Out>(
    client: &Client<Channel>,
    path: &str,
    request: tonic::Request<In>,
) -> Result<Response<Out>, Status>
where
    In: prost::Message + Default + 'static,
    Out: prost::Message + Default + 'static,
{
    let mut client = client.clone().max_decoding_message_size(usize::MAX);
    client.ready().await.unwrap();
    let path: PathAndQuery = path.parse().unwrap();
    client.unary(request, path, ProstCodec::default()).await
}

pub(crate) fn path(method: &str) -> PathAndQuery {
    format!("/talk.v1.TalkService/{method}").parse().unwrap()
}

pub(crate) fn descriptors(folder: &Path) -> String {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/edge");
    let proto = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto");
    let mut compiler = protox::Compiler::new([tests, proto]).unwrap();
    compiler
        .include_imports(true)
        .open_file("talk.proto")
        .unwrap();
    let path = folder.join("talk.binpb");
    std::fs::write(&path, compiler.encode_file_descriptor_set()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Counts when it is dropped.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn router(dropped: Arc<AtomicUsize>) -> Router {
    let waits = Arc::clone(&dropped);
    let waiting = move || Counted(Arc::clone(&waits));
    Router::new()
        .route(
            "/talk.v1.TalkService/Echo",
            answering(|request| async move { Ok(Response::new(request.into_inner())) }),
        )
        .route(
            "/talk.v1.TalkService/Hidden",
            answering(|request| async move { Ok(Response::new(request.into_inner())) }),
        )
        .route(
            "/talk.v1.TalkService/Wait",
            answering(move |_| {
                let waits = waiting();
                async move {
                    let _waits = waits;
                    std::future::pending().await
                }
            }),
        )
        .route(
            "/talk.v1.TalkService/Fail",
            answering(|_| async { Err(failure()) }),
        )
        .route("/talk.v1.TalkService/Told", post(told))
        .route(
            "/talk.v1.TalkService/Repeat",
            post(move |request: Request| {
                let dropped = Arc::clone(&dropped);
                async move {
                    let service = service_fn(move |request: tonic::Request<Word>| {
                        let word = request.into_inner();
                        let counted = Counted(Arc::clone(&dropped));
                        async move { Ok::<_, Status>(Response::new(repeated(word, counted))) }
                    });
                    let response = grpc().server_streaming(service, request).await;
                    response.map(Body::new)
                }
            }),
        )
        .route(
            "/talk.v1.TalkService/Join",
            post(|request: Request| async move {
                let service = service_fn(|request: tonic::Request<Streaming<Word>>| async move {
                    let words = request.into_inner();
                    let joined = words.fold(Ok(word("", 0)), |all, next| async move {
                        let (all, next): (Word, Word) = (all?, next?);
                        Ok::<_, Status>(word(&(all.text + &next.text), all.count + 1))
                    });
                    joined.await.map(Response::new)
                });
                let response = grpc().client_streaming(service, request).await;
                response.map(Body::new)
            }),
        )
        .route(
            "/talk.v1.TalkService/Chat",
            post(|request: Request| async move {
                let service = service_fn(|request: tonic::Request<Streaming<Word>>| async move {
                    Ok::<_, Status>(Response::new(request.into_inner()))
                });
                let response = grpc().streaming(service, request).await;
                response.map(Body::new)
            }),
        )
}

fn grpc() -> Grpc<ProstCodec<Word, Word>> {
    Grpc::new(ProstCodec::default()).max_decoding_message_size(usize::MAX)
}

fn answering<F, Fut>(handler: F) -> axum::routing::MethodRouter
where
    F: Fn(tonic::Request<Word>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Response<Word>, Status>> + Send + 'static,
{
    post(move |request: Request| async move {
        let response = grpc().unary(service_fn(handler), request).await;
        response.map(Body::new)
    })
}

/// Words without an end where the count is negative.
fn repeated(word: Word, counted: Counted) -> impl Stream<Item = Result<Word, Status>> {
    let count = usize::try_from(word.count).unwrap_or(usize::MAX);
    let is_cut = word.text == "cut";
    let words = (0..count).map(move |at| {
        Ok(Word {
            text: word.text.clone(),
            count: i32::try_from(at).unwrap_or_default(),
        })
    });
    let end = is_cut.then(|| Err(failure()));
    stream::iter(words.chain(end)).map(move |word| {
        let _held = &counted;
        word
    })
}

fn failure() -> Status {
    let mut details = ErrorDetails::with_error_info("NO_WORDS", "talk", HashMap::new());
    details.set_debug_info(vec!["a secret line".to_owned()], "a secret");
    let mut status =
        Status::with_error_details(Code::FailedPrecondition, "nothing to sáy", details);
    status
        .metadata_mut()
        .insert("x-why", "because".parse().unwrap());
    status
}

async fn told(request: Request) -> axum::response::Response {
    let service = service_fn(|request: tonic::Request<Word>| async move {
        let headers = request.metadata().clone().into_headers();
        let metadata = headers
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_str().unwrap().to_owned()));
        let metadata = metadata.collect();
        let mut response = Response::new(Heard { metadata });
        response
            .metadata_mut()
            .insert("x-answered", "yes".parse().unwrap());
        Ok::<_, Status>(response)
    });
    let response = Grpc::new(ProstCodec::<Heard, Word>::default())
        .unary(service, request)
        .await;
    response.map(Body::new)
}
