//! Codings chosen, packed and unpacked, and the limits on what is unpacked.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use http_body_util::BodyExt as _;
use proptest::prelude::*;

use super::*;

const ALL: [Coding; 3] = [Coding::Zstd, Coding::Br, Coding::Gzip];
const LIMITS: BodyLimits = BodyLimits {
    bytes_max: Some(1_000_000),
    idle: Duration::from_secs(5),
};

fn asking(value: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(value))])
}

fn compression() -> Compression {
    Compression::new(&CompressionConfig::default())
}

fn json(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn text(bytes: usize) -> Bytes {
    Bytes::from("the same again, ".repeat(bytes.div_ceil(16)).into_bytes()).slice(..bytes)
}

async fn all(body: Body) -> Bytes {
    body.collect().await.unwrap().to_bytes()
}

async fn unpacked(bytes: Bytes, coding: Coding) -> Result<Bytes, axum::Error> {
    let body = decompressed(Body::from(bytes), coding, LIMITS).0;
    Ok(body.collect().await?.to_bytes())
}

async fn packed(bytes: Bytes, coding: Coding) -> Bytes {
    all(Body::new(encode::Encoded::new(Body::from(bytes), coding))).await
}

#[test]
fn the_coding_is_the_clients_choice_and_then_ours() {
    #[track_caller]
    fn check(value: &'static str, want: Option<Coding>) {
        assert_eq!(choose(&asking(value), &ALL), want, "{value}");
    }
    assert_eq!(choose(&HeaderMap::new(), &ALL), None);
    check("", None);
    check("identity", None);
    check("gzip, deflate, br, zstd", Some(Coding::Zstd));
    check("gzip, deflate, br", Some(Coding::Br));
    check("GZIP", Some(Coding::Gzip));
    check("x-gzip", Some(Coding::Gzip));
    check("zstd;q=0.5, gzip;q=0.8", Some(Coding::Gzip));
    check("zstd;q=0, *", Some(Coding::Br));
    check("*;q=0.1, gzip", Some(Coding::Gzip));
    check("*;q=0", None);
    check("gzip;q=0", None);
    check("gzip;q=2", None);
    check("gzip;q=x", None);
    assert_eq!(
        choose(&asking("br, gzip"), &[Coding::Gzip]),
        Some(Coding::Gzip)
    );
}

#[tokio::test]
async fn an_answer_is_compressed_once_and_unpacks_to_itself() {
    for (name, coding) in [
        ("zstd", Coding::Zstd),
        ("br", Coding::Br),
        ("gzip", Coding::Gzip),
    ] {
        let content = text(300_000);
        let mut response = json(Body::from(content.clone()));
        response
            .headers_mut()
            .insert(ETAG, HeaderValue::from_static("\"a\""));
        let response = compression().answer(&asking(name), response);
        assert_eq!(response.headers()[CONTENT_ENCODING], name);
        assert_eq!(response.headers()[ETAG], "W/\"a\"");
        assert_eq!(response.headers()[VARY], "accept-encoding");
        let again = compression().answer(&asking(name), response);
        let bytes = all(again.into_body()).await;
        assert!(bytes.len() < 10_000, "{name}: {}", bytes.len());
        assert_eq!(unpacked(bytes, coding).await.unwrap(), content, "{name}");
    }
}

#[tokio::test]
async fn what_would_not_get_smaller_or_may_not_is_left_alone() {
    let content = || Body::from(text(10_000));
    let asked = asking("gzip");
    #[track_caller]
    fn is_left(response: Response<Body>, asked: &HeaderMap) {
        let response = compression().answer(asked, response);
        assert!(
            !response.headers().contains_key(CONTENT_ENCODING),
            "{response:?}"
        );
    }
    is_left(json(content()), &HeaderMap::new());
    is_left(json(Body::from(text(1_000))), &asked);
    is_left(Response::new(content()), &asked);
    for (name, value) in [
        (CONTENT_TYPE, "image/png"),
        (CACHE_CONTROL, "private, no-transform"),
        (CONTENT_RANGE, "bytes 0-9999/20000"),
    ] {
        let mut response = json(content());
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
        is_left(response, &asked);
    }
    let response = compression().forwarded(&asked, json(content()));
    assert!(!response.headers().contains_key(CONTENT_ENCODING));
    let off = CompressionConfig {
        codings: Vec::new(),
        ..CompressionConfig::default()
    };
    let response = Compression::new(&off).answer(&asked, json(content()));
    assert!(response.headers().is_empty() || !response.headers().contains_key(VARY));
}

#[tokio::test]
async fn each_item_of_a_stream_arrives_at_once() {
    for coding in ALL {
        let items = futures::stream::iter(["one", "two"])
            .map(Ok::<_, std::io::Error>)
            .chain(futures::stream::pending());
        let mut body = Body::new(encode::Encoded::new(Body::from_stream(items), coding));
        let mut packed = Vec::new();
        for _ in 0..2 {
            packed.push(body.frame().await.unwrap().unwrap().into_data().unwrap());
        }
        let packed = futures::stream::iter(packed)
            .map(Ok::<_, std::io::Error>)
            .chain(futures::stream::pending());
        let mut body = decompressed(Body::from_stream(packed), coding, LIMITS).0;
        let mut got = Vec::new();
        while got.len() < 6 {
            got.extend(body.frame().await.unwrap().unwrap().into_data().unwrap());
        }
        assert_eq!(got, b"onetwo", "{coding:?}");
    }
}

#[tokio::test]
async fn a_bomb_goes_off_at_the_limit_and_not_in_memory() {
    for coding in ALL {
        let bomb = packed(Bytes::from(vec![0; 50_000_000]), coding).await;
        assert!(bomb.len() < 500_000, "{coding:?}: {}", bomb.len());
        let (body, _) = decompressed(Body::from(bomb), coding, LIMITS);
        let (mut body, watch) = limited(body, LIMITS);
        let mut got = 0;
        while let Some(Ok(frame)) = body.frame().await {
            let size = frame.into_data().unwrap().len();
            assert!(size <= 16 * 1024);
            got += size;
        }
        assert!(got <= 1_000_000);
        assert_eq!(
            watch.broken(),
            Some(crate::body::Broken::TooLarge),
            "{coding:?}"
        );
    }
}

#[tokio::test]
async fn what_is_not_what_it_says_is_corrupt() {
    for coding in ALL {
        let whole = packed(text(5_000), coding).await;
        let cut = whole.slice(..whole.len() - 1);
        let longer = Bytes::from([&whole[..], b"xyz"].concat());
        for bytes in [cut, longer, Bytes::from_static(b"plain text")] {
            let error = unpacked(bytes, coding).await.unwrap_err();
            assert!(is_corrupt(&error), "{coding:?}: {error}");
        }
        assert_eq!(unpacked(Bytes::new(), coding).await.unwrap(), "");
    }
    for coding in [Coding::Gzip, Coding::Zstd] {
        let member = packed(text(5_000), coding).await;
        let twice = Bytes::from([&member[..], &member[..]].concat());
        assert_eq!(
            unpacked(twice, coding).await.unwrap().len(),
            10_000,
            "{coding:?}"
        );
    }
}

#[test]
fn a_request_has_one_coding_that_is_known() {
    let of = |values: &[&'static str]| {
        let values = values
            .iter()
            .map(|value| (CONTENT_ENCODING, HeaderValue::from_static(value)));
        let mut headers = HeaderMap::new();
        headers.extend(values);
        of_request(&headers).map_err(|refusal| refusal.status.as_u16())
    };
    assert_eq!(of(&[]), Ok(None));
    assert_eq!(of(&["identity"]), Ok(None));
    assert_eq!(of(&["GZip"]), Ok(Some(Coding::Gzip)));
    assert_eq!(of(&["identity, br"]), Ok(Some(Coding::Br)));
    assert_eq!(of(&["deflate"]), Err(415));
    assert_eq!(of(&["gzip, br"]), Err(415));
    assert_eq!(of(&["gzip", "gzip"]), Err(415));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..200), coding in 0_usize..3) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _ = runtime.block_on(unpacked(Bytes::from(bytes), ALL[coding]));
    }
}
