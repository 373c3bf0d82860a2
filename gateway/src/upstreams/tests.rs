//! Connections to a service that behaves as services do when they are full, or about to end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use h2::{Reason, server::SendResponse};
use http::{Request, Response};
use http_body_util::Full;
use tokio::{net::TcpListener, sync::Barrier};
use tonic::body::Body;

use super::{connections::Connections, error::GrpcError};

const PATIENCE: Duration = Duration::from_secs(1);

/// Serves calls on every connection, `streams` at once; `answer` is given the number of the call.
async fn serve<F, Fut>(streams: u32, answer: F) -> (Connections, Arc<AtomicUsize>)
where
    F: Fn(usize, SendResponse<Bytes>) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (connected, calls) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let counted = Arc::clone(&connected);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let (answer, calls) = (answer.clone(), Arc::clone(&calls));
            tokio::spawn(async move {
                let handshake = h2::server::Builder::new()
                    .max_concurrent_streams(streams)
                    .handshake(stream);
                let mut connection = handshake.await.unwrap();
                while let Some(Ok((_, respond))) = connection.accept().await {
                    let (answer, call) = (answer.clone(), calls.fetch_add(1, Ordering::SeqCst));
                    tokio::spawn(async move { answer(call, respond).await });
                }
            });
        }
    });
    (Connections::new(&url, PATIENCE, 0).unwrap(), connected)
}

fn request() -> Request<Body> {
    let body = Body::new(Full::new(Bytes::from_static(b"\0\0\0\0\0")));
    let mut request = Request::new(body);
    *request.uri_mut() = "/shop.v1.ShopService/GetItem".parse().unwrap();
    request
}

fn accept(mut respond: SendResponse<Bytes>) {
    respond.send_response(Response::new(()), true).unwrap();
}

#[tokio::test]
async fn a_call_that_was_refused_is_sent_again_and_one_that_was_broken_off_is_not() {
    let (connections, _) = serve(100, |call, mut respond| async move {
        match call {
            0 => respond.send_reset(Reason::REFUSED_STREAM),
            1 => accept(respond),
            _ => respond.send_reset(Reason::CANCEL),
        }
    })
    .await;
    assert!(connections.call(request()).await.is_ok());
    let error = connections.call(request()).await.unwrap_err();
    assert!(
        matches!(error, GrpcError::Call { .. }) && !error.is_never_sent(),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_full_connection_gets_another_beside_it() {
    let together = Arc::new(Barrier::new(2));
    let (connections, connected) = serve(1, move |call, respond| {
        let together = Arc::clone(&together);
        async move {
            // The first call only learns how many the peer takes at once.
            if call > 0 {
                together.wait().await;
            }
            accept(respond);
        }
    })
    .await;
    connections.call(request()).await.unwrap();
    let both = async { tokio::join!(connections.call(request()), connections.call(request())) };
    let (one, other) = tokio::time::timeout(5 * PATIENCE, both).await.unwrap();
    assert!(one.is_ok() && other.is_ok());
    assert_eq!(connected.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_service_that_is_away_has_certainly_seen_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let connections = Connections::new(&url, PATIENCE, 0).unwrap();
    for _ in 0..4 {
        let error = connections.call(request()).await.unwrap_err();
        assert!(error.is_never_sent(), "{error:?}");
    }
}
