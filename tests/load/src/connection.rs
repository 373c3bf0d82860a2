//! One HTTP/2 connection that carries unary gRPC calls and nothing else.
//!
//! A generator shares its machine with what it measures, so what a call costs it is taken from the server. It needs no
//! balancing, no reconnecting and no time-outs of its own: it speaks to `h2`, which is where the usual client ends up too.

use std::time::Duration;

use anyhow::Context as _;
use bytes::{BufMut as _, Bytes, BytesMut};
use h2::client::SendRequest;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, header};
use tokio::{net::TcpStream, time::timeout};
use tonic::Code;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Enough for all answers of a connection at once.
const WINDOW: u32 = 4 << 20;
const GUEST: HeaderName = HeaderName::from_static("x-banyan-guest");
const STATUS: &str = "grpc-status";
/// A flag and a length go before a message (gRPC over HTTP/2, "Length-Prefixed-Message").
const PREFIX_BYTES: usize = 5;

/// A connection to one server; clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    requests: SendRequest<Bytes>,
    authority: String,
}

impl Connection {
    /// Connects to the server at `authority`. The connection runs on the runtime that is current.
    pub(crate) async fn open(authority: &str) -> anyhow::Result<Self> {
        let connecting = timeout(CONNECT_TIMEOUT, TcpStream::connect(authority));
        let stream = connecting
            .await
            .context("connecting took too long")?
            .with_context(|| format!("cannot connect to {authority}"))?;
        stream.set_nodelay(true)?;
        let (requests, connection) = h2::client::Builder::new()
            .initial_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .enable_push(false)
            .handshake(stream)
            .await?;
        // When it ends, its calls fail, and are counted as failed.
        tokio::spawn(connection);
        Ok(Self {
            requests,
            authority: authority.to_owned(),
        })
    }

    /// The address of a method at this server.
    pub(crate) fn method(&self, path: &str) -> anyhow::Result<Uri> {
        Ok(format!("http://{}{path}", self.authority).parse()?)
    }

    /// Makes one call; how it ended, and its answer if that is wanted.
    pub(crate) async fn call(
        &self,
        method: Uri,
        guest: HeaderValue,
        message: &impl prost::Message,
    ) -> (Code, Bytes) {
        let call = self.exchange(method, guest, framed(message));
        call.await.unwrap_or((Code::Unavailable, Bytes::new()))
    }

    async fn exchange(
        &self,
        method: Uri,
        guest: HeaderValue,
        message: Bytes,
    ) -> Result<(Code, Bytes), h2::Error> {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = method;
        let headers = request.headers_mut();
        let content_type = HeaderValue::from_static("application/grpc");
        headers.insert(header::CONTENT_TYPE, content_type);
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(GUEST, guest);

        let mut requests = self.requests.clone().ready().await?;
        let (response, mut body) = requests.send_request(request, false)?;
        body.send_data(message, true)?;
        let (head, mut body) = response.await?.into_parts();
        let mut answer = Bytes::new();
        while let Some(data) = body.data().await {
            let data = data?;
            body.flow_control().release_capacity(data.len())?;
            answer = match answer.is_empty() {
                true => data,
                false => [answer, data].concat().into(),
            };
        }
        // A refusal has its status in the head, if it has no message.
        let code = match code(&head.headers) {
            Some(code) => code,
            None => body
                .trailers()
                .await?
                .as_ref()
                .and_then(code)
                .unwrap_or(Code::Unknown),
        };
        let message = answer.get(PREFIX_BYTES..).map(|it| answer.slice_ref(it));
        Ok((code, message.unwrap_or_default()))
    }
}

fn framed(message: &impl prost::Message) -> Bytes {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(PREFIX_BYTES + length);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    message.encode_raw(&mut frame);
    frame.freeze()
}

fn code(headers: &HeaderMap) -> Option<Code> {
    let status = headers.get(STATUS)?;
    Some(Code::from_bytes(status.as_bytes()))
}
