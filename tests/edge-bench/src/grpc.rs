//! The backend of transcoders: gRPC on HTTP/2 with answers that were encoded beforehand.

use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use h2::{RecvStream, SendStream, server::SendResponse};
use http::{HeaderMap, HeaderValue, Request, Response, header::CONTENT_TYPE};
use prost::Message;
use tokio::net::{TcpListener, TcpStream};

use crate::data;

/// Messages of the stream.
const STREAMED: u32 = 20;

struct Answers {
    item: Bytes,
    list: Bytes,
    stream: Vec<Bytes>,
}

pub(crate) async fn serve(port: u16) -> anyhow::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let answers = Arc::new(Answers {
        item: framed(&data::item(1)),
        list: framed(&data::items()),
        stream: (0..STREAMED)
            .map(|number| framed(&data::item(number)))
            .collect(),
    });
    loop {
        let (stream, _) = listener.accept().await?;
        let answers = Arc::clone(&answers);
        tokio::spawn(async move {
            // A proxy that goes away is none of the backend's business.
            converse(stream, answers).await.ok();
        });
    }
}

/// A message as gRPC frames it: not compressed, its length, itself.
fn framed(message: &impl Message) -> Bytes {
    let message = message.encode_to_vec();
    let mut frame = BytesMut::with_capacity(5 + message.len());
    frame.put_u8(0);
    frame.put_u32(message.len() as u32);
    frame.extend_from_slice(&message);
    frame.freeze()
}

async fn converse(stream: TcpStream, answers: Arc<Answers>) -> Result<(), anyhow::Error> {
    stream.set_nodelay(true)?;
    let mut connection = h2::server::Builder::new()
        .max_concurrent_streams(1_000)
        .initial_window_size(1 << 20)
        .initial_connection_window_size(1 << 24)
        .handshake(stream)
        .await?;
    while let Some(accepted) = connection.accept().await {
        let (request, respond) = accepted?;
        let answers = Arc::clone(&answers);
        tokio::spawn(async move { answer(request, respond, &answers).await.ok() });
    }
    Ok(())
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    answers: &Answers,
) -> Result<(), h2::Error> {
    let (head, mut body) = request.into_parts();
    let mut sent = BytesMut::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        sent.extend_from_slice(&data);
    }
    let mut response = Response::new(());
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    let mut stream = respond.send_response(response, false)?;
    match head.uri.path().rsplit('/').next() {
        Some("GetItem") => stream.send_data(answers.item.clone(), false)?,
        Some("ListItems") => stream.send_data(answers.list.clone(), false)?,
        Some("EchoOrder") => stream.send_data(sent.freeze(), false)?,
        Some("WatchItems") => {
            for message in &answers.stream {
                stream.send_data(message.clone(), false)?;
            }
        }
        _ => return finish(&mut stream, "12"),
    }
    finish(&mut stream, "0")
}

fn finish(stream: &mut SendStream<Bytes>, status: &'static str) -> Result<(), h2::Error> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static(status));
    stream.send_trailers(trailers)
}
