//! The foreign gRPC service, and a follower of the old system beside it.

use std::{
    collections::HashMap,
    convert::Infallible,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::SystemTime,
};

use axum::{Router, body::Body, extract::Request, response::Response, routing::post};
use banyan_proto::follow::v1::{
    CatchUpRequest, CatchUpResponse, Difference, ReconcileRequest, ReconcileResponse,
    SetAuthorityRequest, SetAuthorityResponse, StatusRequest, StatusResponse,
    difference::Kind,
    follow_service_server::{FollowService, FollowServiceServer},
};
use tonic::{Code, Status, server::Grpc};
use tonic_prost::ProstCodec;
use tonic_types::{ErrorDetails, StatusExt as _};
use tower::service_fn;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Item {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(int64, tag = "2")]
    pub(crate) price: i64,
    #[prost(string, repeated, tag = "3")]
    pub(crate) tags: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct GetItem {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct CreateItem {
    #[prost(string, tag = "1")]
    title: String,
    #[prost(int64, tag = "2")]
    price: i64,
    #[prost(string, tag = "3")]
    request_id: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct FindItem {
    #[prost(int64, tag = "1")]
    id: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PriceItem {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int64, tag = "2")]
    price: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Nothing {}

#[derive(Clone, PartialEq, prost::Message)]
struct Items {
    #[prost(message, repeated, tag = "1")]
    items: Vec<Item>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Introduction {
    #[prost(map = "string, string", tag = "1")]
    metadata: HashMap<String, String>,
}

/// The shop's contract.
const CONTRACT: &str = include_str!("shop.proto");

/// Compiles the shop's contract into a descriptor set file.
pub(crate) fn descriptors(folder: &Path) -> String {
    let path = folder.join("shop.binpb");
    std::fs::write(&path, contract("", "")).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The shop's contract as a descriptor set, with a change in its text.
pub(crate) fn contract(from: &str, to: &str) -> Vec<u8> {
    assert!(CONTRACT.contains(from), "{from}");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("shop.proto"),
        CONTRACT.replacen(from, to, 1),
    )
    .unwrap();
    let proto = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto");
    let mut compiler = protox::Compiler::new([folder.path(), proto.as_path()]).unwrap();
    compiler
        .include_imports(true)
        .open_file("shop.proto")
        .unwrap();
    compiler.encode_file_descriptor_set()
}

/// The shop as a router; `label` ends up in every item, `catch_ups` counts the calls of the follower.
pub(crate) fn router(label: &'static str, catch_ups: Arc<AtomicUsize>) -> Router {
    let get = move |request: GetItem| async move {
        match request.name.as_str() {
            "items/missing" => Err(missing()),
            "items/slow" => std::future::pending().await,
            _ => Ok(Item {
                name: request.name,
                price: 7,
                tags: vec![label.to_owned()],
            }),
        }
    };
    let create = |request: CreateItem| async move {
        if request.price < 0 {
            return Err(Status::unavailable("the till is closed"));
        }
        Ok(Item {
            name: request.title,
            price: request.price,
            tags: vec!["grpc".to_owned(), request.request_id],
        })
    };
    let find = |request: FindItem| async move {
        Ok(Item {
            name: "found".to_owned(),
            price: request.id,
            tags: Vec::new(),
        })
    };
    let price = |request: PriceItem| async move {
        if request.price < 0 {
            return Err(Status::unavailable("the till is closed"));
        }
        Ok(Item {
            name: request.name,
            price: request.price,
            tags: vec!["grpc".to_owned()],
        })
    };
    let list = |_: Nothing| async move {
        Ok(Items {
            items: vec![Item {
                name: "one".to_owned(),
                price: 1,
                tags: vec!["grpc".to_owned()],
            }],
        })
    };
    Router::new()
        .route("/shop.v1.ShopService/GetItem", unary(get))
        .route("/shop.v1.ShopService/CreateItem", unary(create))
        .route("/shop.v1.ShopService/FindItem", unary(find))
        .route("/shop.v1.ShopService/ListItems", unary(list))
        .route("/shop.v1.ShopService/PriceItem", unary(price))
        .route("/shop.v1.ShopService/Introduce", post(introduce))
        .merge(
            tonic::service::Routes::new(FollowServiceServer::new(Follower(catch_ups)))
                .into_axum_router(),
        )
}

fn missing() -> Status {
    let metadata = [("title", "Not found"), ("detail", "item missing not found")];
    let metadata = metadata.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let details = ErrorDetails::with_error_info("ITEM_NOT_FOUND", "shop", metadata);
    Status::with_error_details(Code::NotFound, "no such item", details)
}

fn unary<In, Out, F, Fut>(handler: F) -> axum::routing::MethodRouter
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
        let response = Grpc::new(ProstCodec::<Out, In>::default())
            .unary(service, request)
            .await;
        response.map(Body::new)
    })
}

/// Tells the metadata that it was called with.
async fn introduce(request: Request) -> Result<Response, Infallible> {
    let service = service_fn(|request: tonic::Request<Nothing>| async move {
        let headers = request.metadata().clone().into_headers();
        let metadata = headers
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_str().unwrap().to_owned()));
        Ok::<_, Status>(tonic::Response::new(Introduction {
            metadata: metadata.collect(),
        }))
    });
    let response = Grpc::new(ProstCodec::<Introduction, Nothing>::default())
        .unary(service, request)
        .await;
    Ok(response.map(Body::new))
}

struct Follower(Arc<AtomicUsize>);

#[tonic::async_trait]
impl FollowService for Follower {
    async fn status(
        &self,
        request: tonic::Request<StatusRequest>,
    ) -> Result<tonic::Response<StatusResponse>, Status> {
        Ok(tonic::Response::new(
            match request.get_ref().collection.as_str() {
                "late" => StatusResponse::default(),
                _ => StatusResponse {
                    healthy: true,
                    last_poll_time: Some(SystemTime::now().into()),
                    ..StatusResponse::default()
                },
            },
        ))
    }

    async fn catch_up(
        &self,
        _: tonic::Request<CatchUpRequest>,
    ) -> Result<tonic::Response<CatchUpResponse>, Status> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(tonic::Response::new(CatchUpResponse::default()))
    }

    async fn reconcile(
        &self,
        request: tonic::Request<ReconcileRequest>,
    ) -> Result<tonic::Response<ReconcileResponse>, Status> {
        let mended = request.get_ref().mend;
        Ok(tonic::Response::new(ReconcileResponse {
            legacy_count: 3,
            own_count: 2,
            differences: vec![Difference {
                id: "7".to_owned(),
                kind: Kind::MissingHere.into(),
                mended,
                ..Difference::default()
            }],
            differences_count: 1,
            mended_count: mended.into(),
            ..ReconcileResponse::default()
        }))
    }

    async fn set_authority(
        &self,
        _: tonic::Request<SetAuthorityRequest>,
    ) -> Result<tonic::Response<SetAuthorityResponse>, Status> {
        Ok(tonic::Response::new(SetAuthorityResponse::default()))
    }
}
