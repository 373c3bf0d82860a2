//! Connections to a service that behaves as services do when they are full, or about to end.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
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

use super::{
    addresses::{Resolve, Resolved, System},
    connections::{Connections, Terms},
    error::GrpcError,
    queue::Gauges,
};
use crate::bridge::{Bridge, Counts};

const PATIENCE: Duration = Duration::from_secs(1);

fn terms() -> Terms {
    Terms {
        connect_timeout: PATIENCE,
        bridge: Arc::new(Bridge::new(PATIENCE, Counts::default())),
        resolve_every: Duration::from_millis(20),
        waiting_max: 10,
        resolver: Arc::new(System),
        gauges: Gauges::default(),
    }
}

/// Serves calls on every connection, `streams` at once; `answer` is given the number of the call.
async fn serve<F, Fut>(streams: u32, answer: F) -> (Arc<Connections>, Arc<AtomicUsize>)
where
    F: Fn(usize, SendResponse<Bytes>) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let (address, connected) = listen("127.0.0.1:0", streams, answer).await;
    let connections = Connections::new(&format!("http://{address}"), terms(), 0).unwrap();
    (Arc::new(connections), connected)
}

async fn listen<F, Fut>(at: &str, streams: u32, answer: F) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Fn(usize, SendResponse<Bytes>) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind(at).await.unwrap();
    let address = listener.local_addr().unwrap();
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
    (address, connected)
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let patience = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(
        tokio::time::timeout(5 * PATIENCE, patience).await.is_ok(),
        "{what}"
    );
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
    let connections = Arc::new(Connections::new(&url, terms(), 0).unwrap());
    for _ in 0..4 {
        let error = connections.call(request()).await.unwrap_err();
        assert!(error.is_never_sent(), "{error:?}");
    }
}

/// Knows one name, whose addresses change.
#[derive(Clone, Debug, Default)]
struct Names(Arc<Mutex<Vec<SocketAddr>>>);

impl Names {
    fn set(&self, addresses: &[SocketAddr]) {
        *self.0.lock().unwrap() = addresses.to_vec();
    }
}

impl Resolve for Names {
    fn resolve<'a>(&'a self, host: &'a str, _: u16) -> Resolved<'a> {
        assert_eq!(host, "shop.test");
        let addresses = self.0.lock().unwrap().clone();
        Box::pin(async move { Ok(addresses) })
    }
}

/// A service of one instance that counts its calls.
async fn instance() -> (SocketAddr, Arc<AtomicUsize>) {
    let calls = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&calls);
    let answer = move |_, respond| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move { accept(respond) }
    };
    (listen("127.0.0.1:0", 100, answer).await.0, calls)
}

#[tokio::test]
async fn calls_go_round_among_all_addresses_that_a_name_has_just_now() {
    let (one, other, third) = (instance().await, instance().await, instance().await);
    let names = Names::default();
    names.set(&[one.0, other.0]);
    let terms = Terms {
        resolver: Arc::new(names.clone()),
        ..terms()
    };
    let connections = Arc::new(Connections::new("http://shop.test:1", terms, 0).unwrap());
    let calls = |count: usize| {
        let connections = Arc::clone(&connections);
        async move {
            for _ in 0..count {
                connections.call(request()).await.unwrap();
            }
        }
    };
    let count = |of: &Arc<AtomicUsize>| of.load(Ordering::SeqCst);
    let reached = |of: Arc<AtomicUsize>| async move {
        let before = of.load(Ordering::SeqCst);
        let deadline = tokio::time::Instant::now() + 5 * PATIENCE;
        while of.load(Ordering::SeqCst) == before {
            assert!(tokio::time::Instant::now() < deadline, "it is never asked");
            calls(1).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    reached(Arc::clone(&one.1)).await;
    reached(Arc::clone(&other.1)).await;
    let before = (count(&one.1), count(&other.1));
    calls(20).await;
    assert_eq!(
        (count(&one.1), count(&other.1)),
        (before.0 + 10, before.1 + 10)
    );

    // One goes, another comes: who asks again hears of it.
    names.set(&[other.0, third.0]);
    reached(Arc::clone(&third.1)).await;
    let gone = count(&one.1);
    calls(20).await;
    assert_eq!(count(&one.1), gone, "nothing new to who has gone");

    // A name without an address says nothing about the service.
    names.set(&[]);
    tokio::time::sleep(Duration::from_millis(60)).await;
    calls(1).await;
}

#[tokio::test]
async fn an_address_where_nobody_listens_costs_no_call() {
    let (address, connected) = listen(
        "127.0.0.1:0",
        100,
        |_, respond| async move { accept(respond) },
    )
    .await;
    let dead = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let names = Names::default();
    names.set(&[dead.local_addr().unwrap(), address]);
    drop(dead);
    let terms = Terms {
        resolver: Arc::new(names),
        ..terms()
    };
    let connections = Arc::new(Connections::new("http://shop.test", terms, 0).unwrap());
    for _ in 0..20 {
        assert!(connections.call(request()).await.is_ok());
        // Others try to reach the dead one meanwhile.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(connected.load(Ordering::SeqCst), 1, "once is enough");
}

#[tokio::test]
async fn calls_wait_for_a_place_and_too_many_are_refused() {
    let held = Arc::new(tokio::sync::Semaphore::new(0));
    let begun = Arc::<AtomicUsize>::default();
    let (let_go, counted) = (Arc::clone(&held), Arc::clone(&begun));
    let (address, connected) = listen("127.0.0.1:0", 1, move |call, respond| {
        let (held, begun) = (Arc::clone(&let_go), Arc::clone(&counted));
        async move {
            // The first call only learns how many the peer takes at once.
            if call > 0 {
                begun.fetch_add(1, Ordering::SeqCst);
                held.acquire().await.unwrap().forget();
            }
            accept(respond);
        }
    })
    .await;
    let gauges = Gauges::default();
    let terms = Terms {
        waiting_max: 2,
        gauges: gauges.clone(),
        ..terms()
    };
    let connections = Arc::new(Connections::new(&format!("http://{address}"), terms, 0).unwrap());
    let call = || {
        let connections = Arc::clone(&connections);
        tokio::spawn(async move { connections.call(request()).await })
    };
    call().await.unwrap().unwrap();
    // As many connections as there may be.
    let mut calls: Vec<_> = (0..8).map(|_| call()).collect();
    until("all places are taken", || begun.load(Ordering::SeqCst) == 8).await;
    assert_eq!(connected.load(Ordering::SeqCst), 8);
    calls.extend((0..2).map(|_| call()));
    until("two wait", || gauges.waiting.get() == 2).await;
    let error = connections.call(request()).await.unwrap_err();
    assert!(
        matches!(error, GrpcError::Saturated { .. }) && error.is_never_sent(),
        "{error:?}"
    );
    let gone = call();
    gone.abort();
    held.add_permits(10);
    for call in calls {
        assert!(call.await.unwrap().is_ok());
    }
    assert_eq!((gauges.waiting.get(), gauges.waited.get()), (0, 2));
}
