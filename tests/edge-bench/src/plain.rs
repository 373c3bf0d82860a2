//! The backend of plain proxies: HTTP/1.1 as far as proxies of one's own need it, with bodies of a known length.

use anyhow::Context as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::data;

pub(crate) async fn serve(port: u16) -> anyhow::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let answer = serde_json::to_vec(&data::item(1))?;
    let answer: &'static [u8] = answered(&answer).leak();
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            // A proxy that goes away is none of the backend's business.
            converse(stream, answer).await.ok();
        });
    }
}

/// GET gets the small item, whatever is asked for; a body comes back as it is.
async fn converse(mut stream: TcpStream, item: &[u8]) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = Vec::with_capacity(64 * 1024);
    let mut output = Vec::with_capacity(64 * 1024);
    while stream.read_buf(&mut input).await? > 0 {
        let mut taken = 0;
        while let Some((head, body)) = request(&input[taken..])? {
            match body {
                [] => output.extend_from_slice(item),
                body => output.extend_from_slice(&answered(body)),
            }
            taken += head + body.len();
        }
        input.drain(..taken);
        stream.write_all(&output).await?;
        output.clear();
    }
    Ok(())
}

/// The length of a request's head, and its body, where both are there.
fn request(input: &[u8]) -> anyhow::Result<Option<(usize, &[u8])>> {
    let Some(end) = input.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = &input[..end];
    let length = match head.starts_with(b"GET ") {
        true => 0,
        false => content_length(head)?,
    };
    let from = end + 4;
    Ok(input.get(from..from + length).map(|body| (from, body)))
}

fn content_length(head: &[u8]) -> anyhow::Result<usize> {
    let head = std::str::from_utf8(head)?;
    let named = head.lines().filter_map(|line| line.split_once(':'));
    let mut lengths = named.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let (_, length) = lengths.next().context("no content-length")?;
    Ok(length.trim().parse()?)
}

fn answered(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}
