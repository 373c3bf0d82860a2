//! One connection through the proxy, from its opening to its end.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

use super::{Trap, Way};

/// PostgreSQL's Terminate: the server does what it was sent before, then hangs up.
const TERMINATE: &[u8] = b"X\0\0\0\x04";
const BUFFER_BYTES: usize = 64 * 1024;

/// Carries bytes both ways until one side ends or the connection is cut.
pub(super) async fn carry(client: TcpStream, server: TcpStream, way: &Way) {
    let mut cuts = way.cuts.subscribe();
    let (from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let forward = requests(from_client, &mut to_server, way);
    let back = copy(&mut from_server, &mut to_client, way.stopped.subscribe());
    let trapped = tokio::select! {
        trapped = forward => trapped,
        () = back => None,
        _ = cuts.changed() => None,
    };
    // Here the answers have stopped flowing, whatever the trap does next.
    let Some((trap, commit)) = trapped else {
        return;
    };
    match trap {
        Trap::Lose | Trap::Slow(_) => {}
        Trap::LoseAnswer => {
            to_server.write_all(&commit).await.ok();
            finish(&mut to_server, &mut from_server).await;
        }
        Trap::Late(by) => {
            drop(to_client);
            tokio::time::sleep(by).await;
            to_server.write_all(&commit).await.ok();
            finish(&mut to_server, &mut from_server).await;
        }
    }
}

/// Lets the server do what it has and hang up.
async fn finish(to_server: &mut OwnedWriteHalf, from_server: &mut OwnedReadHalf) {
    to_server.write_all(TERMINATE).await.ok();
    tokio::io::copy(from_server, &mut tokio::io::sink())
        .await
        .ok();
}

/// Carries requests until the client ends, or a trap strikes: then what was not passed on any more.
async fn requests(
    mut from: OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    way: &Way,
) -> Option<(Trap, Vec<u8>)> {
    let mut stopped = way.stopped.subscribe();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let bytes = read(&mut from, &mut buffer, &mut stopped).await?;
        if commits(bytes) {
            match way.spring() {
                Some(Trap::Slow(by)) => tokio::time::sleep(by).await,
                Some(trap) => return Some((trap, bytes.to_vec())),
                None => {}
            }
        }
        to.write_all(bytes).await.ok()?;
    }
}

/// Carries answers until one side ends.
async fn copy(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    mut stopped: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; BUFFER_BYTES];
    while let Some(bytes) = read(from, &mut buffer, &mut stopped).await {
        if to.write_all(bytes).await.is_err() {
            return;
        }
    }
}

/// Some bytes; nothing at the end. Bytes that arrive while all is stopped up wait.
async fn read<'a>(
    from: &mut OwnedReadHalf,
    buffer: &'a mut [u8],
    stopped: &mut watch::Receiver<bool>,
) -> Option<&'a [u8]> {
    let read = from.read(buffer).await.ok().filter(|read| *read > 0)?;
    stopped.wait_for(|stopped| !stopped).await.ok()?;
    buffer.get(..read)
}

/// Whether a simple query of that text, or one that ends so, is among the bytes.
fn commits(bytes: &[u8]) -> bool {
    bytes.windows(7).any(|text| text == b"COMMIT\0")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use tokio::net::TcpListener;

    use super::super::Proxy;
    use super::*;

    /// A server that keeps what it hears and answers each COMMIT.
    async fn server() -> (std::net::SocketAddr, watch::Receiver<Vec<u8>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (heard, hears) = watch::channel(Vec::new());
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let heard = heard.clone();
                tokio::spawn(async move {
                    let mut buffer = [0; 1024];
                    while let Ok(read @ 1..) = client.read(&mut buffer).await {
                        heard.send_modify(|all| all.extend(&buffer[..read]));
                        if commits(&buffer[..read]) {
                            client.write_all(b"done").await.ok();
                        }
                        if buffer[..read].ends_with(TERMINATE) {
                            return;
                        }
                    }
                });
            }
        });
        (address, hears)
    }

    async fn commit(port: u16) -> Vec<u8> {
        let mut client = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        client.write_all(b"Q\0\0\0\x0bCOMMIT\0").await.unwrap();
        let mut answer = vec![0; 4];
        let read = tokio::time::timeout(Duration::from_secs(5), client.read(&mut answer));
        let read = read.await.unwrap().unwrap_or(0);
        answer.truncate(read);
        answer
    }

    async fn check(trap: Trap, arrives: bool, answered: bool) {
        let (address, mut heard) = server().await;
        let proxy = Proxy::start(address).await.unwrap();
        proxy.lay(trap);
        let answer = commit(proxy.port()).await;
        assert_eq!(answer == b"done", answered, "{trap:?}");
        assert_eq!(proxy.struck(), 1);
        if arrives {
            let arrived = heard.wait_for(|heard| commits(heard));
            tokio::time::timeout(Duration::from_secs(5), arrived)
                .await
                .unwrap()
                .unwrap();
        }
        // The next one is not trapped.
        assert_eq!(commit(proxy.port()).await, b"done");
        let times = heard.borrow().windows(7).filter(|it| commits(it)).count();
        assert_eq!(times, 1 + usize::from(arrives), "{trap:?}");
    }

    #[tokio::test]
    async fn a_trap_does_to_one_commit_what_it_says() {
        let by = Duration::from_millis(50);
        check(Trap::Lose, false, false).await;
        check(Trap::LoseAnswer, true, false).await;
        check(Trap::Late(by), true, false).await;
        check(Trap::Slow(by), true, true).await;
    }

    #[tokio::test]
    async fn a_cut_ends_what_is_there_and_a_stop_only_delays() {
        let (address, _heard) = server().await;
        let proxy = Proxy::start(address).await.unwrap();
        let mut client = TcpStream::connect(("127.0.0.1", proxy.port()))
            .await
            .unwrap();
        client.write_all(b"COMMIT\0").await.unwrap();
        let mut answer = [0; 4];
        client.read_exact(&mut answer).await.unwrap();
        proxy.cut();
        assert_eq!(client.read(&mut answer).await.unwrap_or(0), 0);

        let start = Instant::now();
        proxy.stop_up(true);
        let (answer, ()) = tokio::join!(commit(proxy.port()), async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            proxy.stop_up(false);
        });
        assert_eq!(answer, b"done");
        assert!(start.elapsed() >= Duration::from_millis(50));
    }
}
