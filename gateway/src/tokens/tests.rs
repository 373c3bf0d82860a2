//! What counts, what does not and why, with keys made here.

use std::fs;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{Request, header::COOKIE};
use proptest::prelude::*;
use serde_json::{Value, json};

use self::issuer::{ISSUER, Issuer, claims, set};
use super::*;
use crate::config::TokenAlgorithm;

#[path = "../../tests/edge/issuer.rs"]
mod issuer;

/// In the middle of everything.
const NOW_S: i64 = 1_800_000_000;
const LEEWAY_S: i64 = 60;

/// Half of a key that was made once and thrown away, and a token that it signed: ring makes no keys of RSA.
const RSA_MODULUS: &str = "zyMCPi1d_L6FzooFDQ3se7d4dJv5Q_KMwHg2AiIk0VnnkEq8OHiKR8PdoGUF2g0UETIUlXhkAOxYR9vqKNUKdwtPYzFccrn84K98LFhkOblrd5PbAixpm3O2rdrbmUvmOvTq2_8Akdrww_Me26vNio-7BdAAfN61twDDQuHZvbG8jBAHElEx7Jx3cDAtWSE9wiCLoRCccCo47SdTlkeuYg6NlO-PZFZr8ckLb5o_jw226CcCi-J1nEFGiCeFMjiGTTROSwQwr5qquvoT52csQqTRXy3rOSXJZ2hpZHJ2H2Pk7UEgp0SQwmXmE3T5vgmd8mhlGRcANR9QBYTaiA2s3w";
const RSA_TOKEN: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYSJ9.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJzaG9wIiwic3ViIjoicmVhZGVyIiwiZXhwIjoyMDAwMDAwMDAwfQ.svR6eq_13eY4GPOobrGbtMpGDpclNQVWUW9NI0m22S6DJwz6Yypdlsk_pz6pjf8LB_i6Jg1nMsd1qGRFLY5Pva9q6_IOgDNDVhT3uqiDGbLANDiYWJ-C-r42xLavwRXd8o6aQFr5woWYrHXtkNMihFFladYZoV1t-EsEFYxkw31apGMiMqsLoNPJhdyiwYO3cgkos3QQfdfLqsW7hip0AIOQIcN6OuE7lCUBN_LpiUz_ryQLEmKeFFPaOTK8zfhR3mgEsR9VgE-5uTtR1Xen3htZxoOKiHBIX9eiqY1uz8IoVGkIaER6LqGOh3PvTQUAqcrIAKbMZhRaToQqcQ4k2A";

const SECRET: &str = "a secret of at least thirty-two bytes";

fn config(algorithms: &[TokenAlgorithm]) -> TokensConfig {
    TokensConfig {
        issuers: vec![ISSUER.to_owned()],
        audiences: vec!["till".to_owned(), issuer::AUDIENCE.to_owned()],
        algorithms: algorithms.to_vec(),
        cookie: Some("session".to_owned()),
        ..TokensConfig::default()
    }
}

fn rsa() -> Value {
    json!({"kty": "RSA", "kid": "rsa", "use": "sig", "alg": "RS256", "n": RSA_MODULUS, "e": "AQAB"})
}

/// A gateway's tokens, and two of the keys that it knows.
struct World {
    tokens: Tokens,
    ed: Issuer,
    ec: Issuer,
}

impl World {
    fn new() -> World {
        let (ed, ec) = (Issuer::ed("ed"), Issuer::ec("ec"));
        let public = TokensConfig::default().algorithms;
        let keys = json!({"keys": [ed.public(), ec.public(), rsa()]}).to_string();
        let keys = Keys::of_set(keys.as_bytes(), &public)
            .unwrap()
            .with_secret(SECRET);
        let all = [&public[..], &[TokenAlgorithm::Hs256]].concat();
        let metrics = Metrics::register(&mut Default::default());
        World {
            tokens: Tokens::new(&config(&all), keys, metrics),
            ed,
            ec,
        }
    }

    fn judge(&self, token: &str) -> Result<String, Trouble> {
        let verified = self.tokens.judge(token, NOW_S * 1000)?;
        Ok(verified.claim("sub").unwrap_or_default().to_owned())
    }

    #[track_caller]
    fn check(&self, token: &str, want: Trouble) {
        assert_eq!(self.judge(token), Err(want), "{token}");
    }

    /// Claims as they should be, but for one.
    #[track_caller]
    fn check_claim(&self, name: &str, value: Value, want: Option<Trouble>) {
        let mut claims = claims("alice", NOW_S + 600);
        claims[name] = value;
        let got = self.judge(&self.ed.token(&claims));
        assert_eq!(got.err(), want, "{claims}");
    }
}

fn encoded(text: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

#[test]
fn a_token_of_each_algorithm_counts() {
    let world = World::new();
    let alice = claims("alice", NOW_S + 600);
    let shared = Issuer::shared(SECRET.as_bytes());
    for issuer in [&world.ed, &world.ec, &shared] {
        assert_eq!(world.judge(&issuer.token(&alice)).unwrap(), "alice");
    }
    assert_eq!(world.judge(RSA_TOKEN).unwrap(), "reader");
    let unnamed = world.ed.signed(r#"{"alg":"EdDSA"}"#, &alice.to_string());
    assert_eq!(
        world.judge(&unnamed).unwrap(),
        "alice",
        "there is one such key"
    );
}

#[test]
fn what_is_no_token_is_malformed() {
    let world = World::new();
    let right = world.ed.token(&claims("alice", NOW_S + 600));
    let (message, _) = right.rsplit_once('.').unwrap();
    let alice = claims("alice", NOW_S + 600).to_string();
    for token in [
        "",
        "opaque",
        "..",
        "a.b.c",
        message,
        &format!("{right}.x"),
        &format!("{right}.x.y"),
        &format!("{right}="),
        &format!("{}.e30.x", encoded("[]")),
        &format!("{}.e30.x", encoded("{}")),
        &format!("{}.e30.x", encoded(r#"{"alg":["EdDSA"]}"#)),
        &world.ed.signed(r#"{"alg":"EdDSA","kid":"ed"}"#, "no JSON"),
        &world.ed.signed(r#"{"alg":"EdDSA","kid":"ed"}"#, "[]"),
        &world.ed.signed(
            r#"{"alg":"EdDSA","kid":"ed","crit":["b64"],"b64":false}"#,
            &alice,
        ),
    ] {
        world.check(token, Trouble::Malformed);
    }
    let long = json!({"sub": "x".repeat(TOKEN_BYTES_MAX)});
    world.check(&world.ed.token(&long), Trouble::TooLong);
}

#[test]
fn a_token_is_signed_as_its_key_says_and_not_as_it_says_itself() {
    let world = World::new();
    let alice = claims("alice", NOW_S + 600);
    for algorithm in ["none", "None", "NONE", "PS256", "ES384", "HS512", ""] {
        let head = json!({"alg": algorithm, "kid": "ed"}).to_string();
        world.check(
            &format!("{}.{}.", encoded(&head), encoded(alice.to_string())),
            Trouble::Algorithm,
        );
        world.check(
            &world.ed.signed(&head, &alice.to_string()),
            Trouble::Algorithm,
        );
    }
    // The public halves as secrets, in the forms that somebody might hold them.
    let modulus = URL_SAFE_NO_PAD.decode(RSA_MODULUS).unwrap();
    let x = world.ed.public()["x"].as_str().unwrap().to_owned();
    let x = URL_SAFE_NO_PAD.decode(x).unwrap();
    for public in [
        &modulus[..],
        RSA_MODULUS.as_bytes(),
        &x,
        rsa().to_string().as_bytes(),
    ] {
        for kid in ["rsa", "ed", "shared"] {
            let head = json!({"alg": "HS256", "kid": kid}).to_string();
            let token = Issuer::shared(public).signed(&head, &alice.to_string());
            world.check(&token, Trouble::Signature);
        }
    }
    let head = |algorithm, kid| json!({"alg": algorithm, "kid": kid}).to_string();
    let under = |algorithm, kid| world.ed.signed(&head(algorithm, kid), &alice.to_string());
    world.check(&under("ES256", "ed"), Trouble::UnknownKey);
    world.check(&under("RS256", "ed"), Trouble::UnknownKey);
    world.check(&under("ES256", "ec"), Trouble::Signature);
    world.check(&under("RS256", "rsa"), Trouble::Signature);
}

#[test]
fn without_the_secret_there_is_no_hs256_at_all() {
    let public = TokensConfig::default().algorithms;
    let keys = json!({"keys": [rsa()]}).to_string();
    let keys = Keys::of_set(keys.as_bytes(), &public).unwrap();
    let metrics = Metrics::register(&mut Default::default());
    let tokens = Tokens::new(&config(&public), keys, metrics);
    let modulus = URL_SAFE_NO_PAD.decode(RSA_MODULUS).unwrap();
    let confused = Issuer::shared(&modulus).token(&claims("alice", NOW_S + 600));
    assert_eq!(
        tokens.judge(&confused, NOW_S * 1000).err(),
        Some(Trouble::Algorithm)
    );
}

#[test]
fn a_signature_is_of_a_known_key_and_of_these_very_words() {
    let world = World::new();
    let alice = claims("alice", NOW_S + 600);
    world.check(&Issuer::ed("other").token(&alice), Trouble::UnknownKey);
    world.check(&Issuer::ed("ed").token(&alice), Trouble::Signature);
    let token = world.ed.token(&alice);
    let parts: Vec<&str> = token.split('.').collect();
    let mallory = encoded(claims("mallory", NOW_S + 600).to_string());
    world.check(
        &format!("{}.{mallory}.{}", parts[0], parts[2]),
        Trouble::Signature,
    );
    world.check(&format!("{}.{}.", parts[0], parts[1]), Trouble::Signature);
    world.check(
        &format!("{}.{}.{}", parts[0], parts[1], encoded([0; 64])),
        Trouble::Signature,
    );
}

#[test]
fn issuer_and_audience_have_to_be_there_and_right() {
    let world = World::new();
    let wrong = Some(Trouble::Issuer);
    world.check_claim("iss", json!(ISSUER), None);
    world.check_claim("iss", json!("https://id.example/"), wrong);
    world.check_claim("iss", json!([ISSUER]), wrong);
    world.check_claim("iss", json!(null), wrong);
    let wrong = Some(Trouble::Audience);
    world.check_claim("aud", json!("till"), None);
    world.check_claim("aud", json!(["else", "shop"]), None);
    world.check_claim("aud", json!(["else"]), wrong);
    world.check_claim("aud", json!("Shop"), wrong);
    world.check_claim("aud", json!([]), wrong);
    world.check_claim("aud", json!(null), wrong);
    world.check_claim("aud", json!({"shop": true}), wrong);
}

#[test]
fn a_token_counts_from_its_beginning_to_its_end_and_a_little_longer() {
    let world = World::new();
    for (end, want) in [
        (json!(NOW_S + 1), None),
        (json!(NOW_S - LEEWAY_S + 1), None),
        (json!((NOW_S - LEEWAY_S) as f64 + 0.5), None),
        (json!(NOW_S - LEEWAY_S), Some(Trouble::Expired)),
        (json!(0), Some(Trouble::Expired)),
        (json!(-1), Some(Trouble::Expired)),
        (json!(u64::MAX), None),
        (json!(1e300), None),
        (json!(-1e300), Some(Trouble::Expired)),
        (json!((NOW_S + 600).to_string()), Some(Trouble::Claims)),
        (json!(null), Some(Trouble::Claims)),
    ] {
        world.check_claim("exp", end, want);
    }
    for (beginning, want) in [
        (json!(0), None),
        (json!(NOW_S + LEEWAY_S), None),
        (json!(NOW_S + LEEWAY_S + 1), Some(Trouble::NotYetValid)),
        (json!("soon"), Some(Trouble::Claims)),
    ] {
        world.check_claim("nbf", beginning, want);
    }
    let endless = json!({"iss": ISSUER, "aud": "shop", "sub": "alice"});
    world.check(&world.ed.token(&endless), Trouble::Claims);
}

#[test]
fn a_token_is_verified_once_and_its_time_checked_always() {
    let world = World::new();
    let token = world.ed.token(&claims("alice", NOW_S + 600));
    let counts = &world.tokens.0.metrics.cache;
    for (after_s, want) in [
        (0, None),
        (0, None),
        (600 + LEEWAY_S - 1, None),
        (600 + LEEWAY_S, Some(Trouble::Expired)),
        (0, None),
    ] {
        let judged = world.tokens.judge(&token, (NOW_S + after_s) * 1000);
        assert_eq!(judged.err(), want, "after {after_s} s");
    }
    assert_eq!((counts.hits.get(), counts.entries.get()), (4, 1));
    world.check(&format!("{token}x"), Trouble::Malformed);
    assert_eq!(counts.entries.get(), 1, "what does not verify is not kept");
}

#[test]
fn the_cache_forgets_what_is_over_first_and_never_grows_beyond_its_limit() {
    let world = World::new();
    let counts = cache::Counts::default();
    let verified = |ends_s| {
        let token = world.ed.token(&claims("alice", ends_s));
        world.tokens.judge(&token, NOW_S * 1000).unwrap()
    };
    let (short, long) = (verified(NOW_S + 1), verified(NOW_S + 600));
    let cache = Cache::new(counts.clone());
    let hash = |n: u32| {
        let mut hash = [0; 32];
        hash[..4].copy_from_slice(&n.to_le_bytes());
        hash
    };
    let later = (NOW_S + LEEWAY_S + 2) * 1000;
    for n in 0..5_000 {
        cache.put(hash(n), Arc::clone(&short), NOW_S * 1000);
    }
    for n in 5_000..14_000 {
        cache.put(hash(n), Arc::clone(&long), later);
    }
    assert_eq!(counts.evictions.get(), 0, "there were enough that are over");
    for n in 14_000..34_000 {
        cache.put(hash(n), Arc::clone(&long), later);
        assert!(cache.get(&hash(n)).is_some());
    }
    assert_eq!(counts.entries.get(), 10_000);
    assert!(counts.evictions.get() > 0);
    drop(cache);
    assert_eq!(counts.entries.get(), 0);
}

#[track_caller]
fn check_set(set: &Value, want: Result<usize, &str>) {
    let keys = Keys::of_set(
        set.to_string().as_bytes(),
        &TokensConfig::default().algorithms,
    );
    let got = keys
        .map(|keys| keys.len())
        .map_err(|error| error.to_string());
    match (&got, want) {
        (Ok(got), Ok(want)) => assert_eq!(*got, want, "{set}"),
        (Err(got), Err(want)) => assert!(got.contains(want), "{got}"),
        _ => panic!("{got:?} for {set}"),
    }
}

#[test]
fn a_set_of_keys_is_taken_whole_or_refused_by_the_key_that_is_wrong() {
    let (ed, ec) = (Issuer::ed("ed").public(), Issuer::ec("ec").public());
    let with = |mut key: Value, name: &str, value: Value| {
        key[name] = value;
        key
    };
    check_set(&json!({"keys": [ed, ec, rsa()], "more": 1}), Ok(3));
    // Of no kind or use that is known here.
    for other in [
        json!({"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"}),
        json!({"kty": "OKP", "crv": "X25519", "x": "AA"}),
        json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"}),
        json!({}),
        json!(7),
        with(rsa(), "alg", json!("PS256")),
        with(rsa(), "use", json!("enc")),
        with(ed.clone(), "key_ops", json!(["deriveKey"])),
    ] {
        check_set(&json!({"keys": [ec, other]}), Ok(1));
        check_set(
            &json!({"keys": [other]}),
            Err("no key for any of EdDSA, ES256, RS256"),
        );
    }
    check_set(&json!([]), Err("is not as in a JSON Web Key Set"));
    check_set(&json!({"keys": {}}), Err("is not as in a JSON Web Key Set"));
    check_set(&json!({"keys": []}), Err("no key for any of"));
    check_set(&json!({"keys": vec![7; 65]}), Err("65 keys"));
    check_set(
        &json!({"keys": [ed, ed]}),
        Err(r#"key "ed" is there twice for EdDSA"#),
    );
    check_set(
        &json!({"keys": [with(ed.clone(), "d", json!("AA"))]}),
        Err("is private"),
    );
    check_set(
        &json!({"keys": [{"kty": "oct", "k": "AA"}]}),
        Err("without `kid` is private or a secret"),
    );
    check_set(
        &json!({"keys": [with(ed.clone(), "x", json!("AA"))]}),
        Err("has 32 bytes"),
    );
    check_set(
        &json!({"keys": [with(ec.clone(), "y", json!(null))]}),
        Err("must be text"),
    );
    check_set(
        &json!({"keys": [with(ec, "x", json!("A+/="))]}),
        Err("base64url"),
    );
    check_set(
        &json!({"keys": [with(rsa(), "n", json!("AQAB"))]}),
        Err("2048 to 8192 bits"),
    );
}

/// A request with these headers.
fn parts(headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::post("/").body(()).unwrap();
    for (name, value) in headers {
        let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    request.into_parts().0
}

/// As the clock of the process has it, which `Presented` reads.
fn soon() -> i64 {
    now_ms() / 1000 + 600
}

#[test]
fn a_token_is_looked_at_when_it_is_asked_for_and_once() {
    let world = World::new();
    let token = world.ed.token(&claims("alice", soon()));
    let request = parts(&[("authorization", &format!("Bearer {token}"))]);
    let presented = Presented::new(Some(&world.tokens));
    let count = || world.tokens.0.metrics.cache.entries.get();
    assert_eq!(count(), 0);
    for _ in 0..3 {
        assert_eq!(presented.claim(&request.headers, "sub"), Some("alice"));
        assert_eq!(presented.claim(&request.headers, "aud"), Some("shop"));
        assert_eq!(presented.claim(&request.headers, "exp"), None, "no text");
        assert!(presented.require(&request, None, true).is_ok());
    }
    assert_eq!(count(), 1);
    assert_eq!(world.tokens.0.metrics.cache.hits.get(), 0);
    let nobody = Presented::new(None);
    assert_eq!(nobody.claim(&request.headers, "sub"), None);
    assert!(nobody.require(&request, None, true).is_err());
}

#[test]
fn the_header_counts_before_the_cookie_and_several_headers_are_none() {
    let world = World::new();
    let [alice, bob] = ["alice", "bob"].map(|it| world.ed.token(&claims(it, soon())));
    let bearer = |token: &str| format!("Bearer {token}");
    let cookie = format!("theme=dark; session={bob}");
    for (headers, want) in [
        (vec![("authorization", bearer(&alice))], Some("alice")),
        (
            vec![("authorization", format!("bEaReR   {alice} "))],
            Some("alice"),
        ),
        (vec![("cookie", cookie.clone())], Some("bob")),
        (
            vec![
                ("authorization", bearer(&alice)),
                ("cookie", cookie.clone()),
            ],
            Some("alice"),
        ),
        (
            vec![
                ("authorization", "Basic eDp5".to_owned()),
                ("cookie", cookie.clone()),
            ],
            Some("bob"),
        ),
        (
            vec![("authorization", bearer("x")), ("cookie", cookie.clone())],
            None,
        ),
        (
            vec![
                ("authorization", "Bearer".to_owned()),
                ("cookie", cookie.clone()),
            ],
            None,
        ),
        (
            vec![
                ("authorization", bearer(&alice)),
                ("authorization", bearer(&bob)),
            ],
            None,
        ),
        (vec![("authorization", format!("Bearer{alice}"))], None),
        (vec![("cookie", "session=".to_owned())], None),
        (vec![], None),
    ] {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let request = parts(&headers);
        let presented = Presented::new(Some(&world.tokens));
        assert_eq!(
            presented.claim(&request.headers, "sub"),
            want,
            "{headers:?}"
        );
    }
}

#[test]
fn who_has_no_token_is_asked_for_one_and_who_has_a_bad_one_is_told() {
    let world = World::new();
    let refusal = |headers: &[(&str, &str)]| {
        let presented = Presented::new(Some(&world.tokens));
        let refusal = presented.require(&parts(headers), None, true).unwrap_err();
        let challenge = refusal.header.as_ref().map(|header| header.1.clone());
        (refusal.status.as_u16(), challenge, refusal.message)
    };
    let (status, challenge, _) = refusal(&[]);
    assert_eq!(
        (status, challenge.unwrap().to_str().unwrap()),
        (401, "Bearer")
    );
    let old = world.ed.token(&claims("alice", 1));
    let (status, challenge, message) = refusal(&[("authorization", &format!("Bearer {old}"))]);
    let want = r#"Bearer error="invalid_token""#;
    assert_eq!((status, challenge.unwrap().to_str().unwrap()), (401, want));
    assert_eq!(message, "the bearer token has expired");

    let session = format!("session={}", world.ed.token(&claims("alice", soon())));
    let site = ("sec-fetch-site", "cross-site");
    assert_eq!(
        refusal(&[(COOKIE.as_str(), &session), site]).0,
        403,
        "a page of another site"
    );
    let own = parts(&[
        (COOKIE.as_str(), &session),
        ("sec-fetch-site", "same-origin"),
    ]);
    assert!(
        Presented::new(Some(&world.tokens))
            .require(&own, None, true)
            .is_ok()
    );
}

#[test]
fn changed_files_are_taken_up_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let write = |name: &str, text: &str| fs::write(path(name), text).unwrap();
    let (first, second) = (Issuer::ed("1"), Issuer::ec("2"));
    let config = TokensConfig {
        keys_file: Some(path("keys.json")),
        secret_file: Some(path("secret")),
        ..config(&[
            TokenAlgorithm::EdDsa,
            TokenAlgorithm::Es256,
            TokenAlgorithm::Hs256,
        ])
    };
    let files = Files::new(&config);
    assert!(files.read().is_err(), "nothing is there");
    write("keys.json", &set(&[&first]));
    write("secret", &format!("{SECRET}\n"));
    let read = files.read().unwrap();
    let metrics = Metrics::register(&mut Default::default());
    let tokens = Tokens::new(&config, files.keys(&read).unwrap(), metrics);
    let mut seen = Seen::new(read);
    let alice = claims("alice", NOW_S + 600);
    let shared = Issuer::shared(SECRET.as_bytes());
    let counting = || {
        let counts = |issuer: &Issuer| tokens.judge(&issuer.token(&alice), NOW_S * 1000).is_ok();
        [counts(&first), counts(&second), counts(&shared)]
    };
    assert_eq!(counting(), [true, false, true]);
    for (name, text) in [
        ("keys.json", ""),
        ("keys.json", "{"),
        ("keys.json", r#"{"keys": []}"#),
        ("keys.json", &"x".repeat(300_000)),
        ("secret", "short"),
    ] {
        let right = fs::read_to_string(path(name)).unwrap();
        write(name, text);
        tokens.take_up(&files, &mut seen);
        assert_eq!(counting(), [true, false, true]);
        write(name, &right);
    }
    write("keys.json", &set(&[&second]));
    tokens.take_up(&files, &mut seen);
    assert_eq!(
        counting(),
        [false, true, true],
        "what the old key verified is forgotten"
    );
    write("secret", &SECRET.to_uppercase());
    tokens.take_up(&files, &mut seen);
    assert_eq!(counting(), [false, true, false]);
    fs::remove_file(path("keys.json")).unwrap();
    tokens.take_up(&files, &mut seen);
    assert_eq!(counting(), [false, true, false]);
}

#[test]
fn reasons_are_counted_each_in_its_place() {
    for (index, trouble) in Trouble::ALL.into_iter().enumerate() {
        assert_eq!(trouble as usize, index, "{}", trouble.as_str());
    }
}

proptest! {
    #[test]
    fn no_token_makes_it_panic(token in "[a-zA-Z0-9_.=-]{0,200}", head in ".{0,60}", claims in ".{0,60}") {
        let world = World::new();
        let unsigned = format!("{}.{}.AA", encoded(&head), encoded(&claims));
        let signed = world.ed.signed(r#"{"alg":"EdDSA","kid":"ed"}"#, &claims);
        for token in [token, unsigned, signed] {
            prop_assert!(world.judge(&token).is_err());
        }
    }
}
