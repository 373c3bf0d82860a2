//! The threads that serve clients: on each a runtime of its own, which drives the connections that it is given.
//!
//! A request stays on its thread from its first byte to its last, with the connections to upstreams that the thread
//! keeps for itself: no task is stolen, no lock is waited for and no other core is woken on its way. What is lost is that
//! a thread with much to do cannot be helped by others; connections go to the thread that has the fewest.

use std::{
    io,
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use hyper_util::server::graceful::GracefulShutdown;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::Service;
use crate::per_thread;

/// A client's connection on its way to the thread that will serve it.
pub(super) struct Accepted {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    /// Its place among all connections.
    pub(super) permit: Option<OwnedSemaphorePermit>,
}

/// The serving threads of one listener. They end when this is dropped and their connections have ended.
pub(super) struct Threads(Vec<Thread>);

struct Thread {
    /// As many may be on their way as there may be connections, each holding one's permit.
    connections: mpsc::UnboundedSender<Accepted>,
    open: Arc<AtomicUsize>,
    ended: oneshot::Receiver<()>,
}

impl Threads {
    pub(super) fn start(count: usize, service: &Service) -> io::Result<Threads> {
        let threads = (1..=count).map(|place| Thread::start(place, service.clone()));
        threads.collect::<io::Result<_>>().map(Threads)
    }

    /// Gives a connection to the thread that has the fewest.
    pub(super) fn give(&self, accepted: Accepted) {
        let least = self
            .0
            .iter()
            .min_by_key(|it| it.open.load(Ordering::Relaxed));
        if let Some(thread) = least {
            thread.open.fetch_add(1, Ordering::Relaxed);
            thread.connections.send(accepted).ok();
        }
    }

    /// Lets every thread finish what is in flight.
    ///
    /// # Errors
    /// If one ended before.
    pub(super) async fn finish(self) -> anyhow::Result<()> {
        let ends: Vec<_> = self.0.into_iter().map(|thread| thread.ended).collect();
        for ended in ends {
            anyhow::ensure!(ended.await.is_ok(), "a serving thread ended early");
        }
        Ok(())
    }
}

impl Thread {
    fn start(place: usize, service: Service) -> io::Result<Thread> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (connections, incoming) = mpsc::unbounded_channel();
        let (end, ended) = oneshot::channel();
        let open = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&open);
        // Logs go where those of the starting thread go, which in a test may be to the test alone.
        let logs = tracing::dispatcher::get_default(Clone::clone);
        thread::Builder::new()
            .name(format!("gateway-{place}"))
            .spawn(move || {
                per_thread::enter(place);
                let _logs = tracing::dispatcher::set_default(&logs);
                runtime.block_on(drive(service, incoming, counter));
                end.send(()).ok();
            })?;
        Ok(Thread {
            connections,
            open,
            ended,
        })
    }
}

async fn drive(
    service: Service,
    mut incoming: mpsc::UnboundedReceiver<Accepted>,
    open: Arc<AtomicUsize>,
) {
    let graceful = GracefulShutdown::new();
    while let Some(accepted) = incoming.recv().await {
        let Accepted {
            stream,
            peer,
            permit,
        } = accepted;
        let open = Counted(Arc::clone(&open));
        let stream = match tokio::net::TcpStream::from_std(stream) {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "Cannot serve a connection");
                continue;
            }
        };
        let connection = service.connection(stream, peer, &graceful);
        tokio::spawn(async move {
            connection.await;
            drop((permit, open));
        });
    }
    graceful.shutdown().await;
}

/// One open connection of a thread.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
