//! The way between a service and PostgreSQL, which can be cut, stopped up, and cut right inside a COMMIT.
//!
//! Bytes are passed on as they are. Of the protocol only the text of COMMIT is known: it is what a trap waits for. A
//! trap strikes once, at the next COMMIT of any connection.

mod carry;

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// What happens to the next COMMIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trap {
    /// It gets lost with the connection: nothing is durable.
    Lose,
    /// It arrives, its answer gets lost with the connection: everything is durable.
    LoseAnswer,
    /// The service loses the connection first; the COMMIT arrives that much later. Whoever looks too early does not
    /// see yet what is about to become durable.
    Late(Duration),
    /// It is on its way for that long, and so is its answer.
    Slow(Duration),
}

/// A proxy in front of one address. Ends when dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    port: u16,
    way: Arc<Way>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Way {
    server: SocketAddr,
    trap: Mutex<Option<Trap>>,
    struck: AtomicU64,
    /// Raised to cut all connections that are there.
    cuts: watch::Sender<u64>,
    stopped: watch::Sender<bool>,
}

impl Proxy {
    /// A proxy on a free port.
    pub(crate) async fn start(server: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.context("cannot listen for the proxy")?;
        let port = listener
            .local_addr()
            .context("cannot tell the proxy's port")?
            .port();
        let way = Arc::new(Way {
            server,
            trap: Mutex::new(None),
            struck: AtomicU64::new(0),
            cuts: watch::channel(0).0,
            stopped: watch::channel(false).0,
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&way)));
        Ok(Self {
            port,
            way,
            accepting,
        })
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Cuts every connection.
    pub(crate) fn cut(&self) {
        self.way.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Lets nothing through in either direction, without a word, until it is let flow again.
    pub(crate) fn stop_up(&self, stopped: bool) {
        self.way.stopped.send_replace(stopped);
    }

    /// Lays a trap for the next COMMIT.
    pub(crate) fn lay(&self, trap: Trap) {
        *self.way.trap.lock().unwrap_or_else(PoisonError::into_inner) = Some(trap);
    }

    /// How many COMMITs have been trapped so far.
    pub(crate) fn struck(&self) -> u64 {
        self.way.struck.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

impl Way {
    /// The trap that was laid, which has struck now.
    fn spring(&self) -> Option<Trap> {
        let trap = self
            .trap
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if trap.is_some() {
            self.struck.fetch_add(1, Ordering::Relaxed);
        }
        trap
    }
}

async fn accept(listener: TcpListener, way: Arc<Way>) {
    while let Ok((client, _)) = listener.accept().await {
        let way = Arc::clone(&way);
        tokio::spawn(async move {
            // A server that is away: the client sees its connection closed at once.
            if let Ok(server) = TcpStream::connect(way.server).await {
                client.set_nodelay(true).ok();
                server.set_nodelay(true).ok();
                carry::carry(client, server, &way).await;
            }
        });
    }
}
