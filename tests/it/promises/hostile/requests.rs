//! Requests that nobody with good intentions sends, each with the one right answer.

use fastrand::Rng;
use reqwest::{Body, Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{
    Server,
    tokens::{SERVICE_KEY, in_seconds, sign, sign_with, viewer},
};

/// What large bodies hold.
pub const LARGE: usize = 10 << 20;
const STREAM: &str = "/api/v1/patients/p1/documents/stream";
const PROGRESS: &str = "/api/v1/progress";
const PRESIGN: &str = "/api/v1/uploads/presign";
const CONFIRM: &str = "/api/v1/uploads/confirm";
const TOKENS: &str = "/api/v1/tokens";
const JSON_ROUTES: [&str; 4] = [PROGRESS, PRESIGN, CONFIRM, TOKENS];

/// One request and the status that has to answer it.
pub struct Hostile {
    pub what: String,
    pub request: RequestBuilder,
    pub expected: u16,
}

/// Makes the next request of the family `number` belongs to.
pub fn next(server: &Server, random: &mut Rng, number: usize) -> Hostile {
    const FAMILIES: [fn(&Server, &mut Rng) -> Hostile; 12] = [
        progress_field,
        presign_field,
        confirm_field,
        tokens_field,
        stream_query,
        path_id,
        credentials,
        other_patient,
        not_json,
        unknown_route,
        wrong_method,
        wrong_type,
    ];
    FAMILIES[number % FAMILIES.len()](server, random)
}

/// Makes a request with 10 MB of body.
pub fn large(server: &Server, random: &mut Rng) -> Hostile {
    let body = Body::from(vec![b' '; LARGE]);
    if random.bool() {
        let route = pick(random, &JSON_ROUTES);
        let request = server.http.post(format!("{}{route}", server.url)).bearer_auth(SERVICE_KEY);
        hostile(route, request.header("Content-Type", "application/json").body(body), 413)
    } else {
        let token = sign_with(
            "another secret than the server's own",
            &json!({ "exp": in_seconds(60), "upload": "d1" }),
        );
        let url = format!("/api/v1/uploads/d1/file?token={token}");
        hostile("a bad signature", server.put(&url, Vec::new()).body(body), 403)
    }
}

fn hostile(what: impl Into<String>, request: RequestBuilder, expected: u16) -> Hostile {
    Hostile { what: what.into(), request, expected }
}

fn pick<T: Copy>(random: &mut Rng, from: &[T]) -> T {
    from[random.usize(..from.len())]
}

/// Text that would break a frame, a log line, a header or a query if it came through.
fn poison(random: &mut Rng) -> String {
    const CORES: [&str; 8] = [
        "\n",
        "\r",
        "\r\n\r\n",
        "\0",
        "\n\nevent: done\ndata: {}\n\n",
        "\r\nSet-Cookie: a=b",
        "\u{1b}[2J",
        "\u{85}",
    ];
    let around =
        |random: &mut Rng| (0..random.usize(1..6)).map(|_| random.alphanumeric()).collect::<String>();
    format!("{}{}{}", around(random), pick(random, &CORES), around(random))
}

fn not_an_id(random: &mut Rng) -> Value {
    match random.u8(0..6) {
        0 => json!("x".repeat(129)),
        1 => json!(pick(
            random,
            &["", ".", "..", "a b", "a:b", "a/b", "ä", "a%00b", "';--", "../../etc/passwd"]
        )),
        2 => json!(random.i64(..)),
        3 => json!({ "$ne": null }),
        _ => json!(poison(random)),
    }
}

/// A good body in which one field is not good.
fn post_spoiled(server: &Server, route: &str, mut body: Value, field: &str, value: Value) -> Hostile {
    let what = format!("{route} {field}={value}");
    body[field] = value;
    hostile(what, server.post(route, &body).bearer_auth(SERVICE_KEY), 400)
}

fn progress_field(server: &Server, random: &mut Rng) -> Hostile {
    let body = json!({ "patient_id": "p1", "document_id": "d1", "stage": "ocr_started" });
    let (field, value) = match random.u8(0..8) {
        0 => (pick(random, &["patient_id", "document_id", "event_id"]), not_an_id(random)),
        1 => ("percent", pick(random, &[json!(-1), json!(101), json!("50"), json!([])].each_ref()).clone()),
        2 => ("attempt", pick(random, &[json!(0), json!(-1), json!(1e30), json!("1")].each_ref()).clone()),
        3 => ("detail", json!("x".repeat(201))),
        _ => (pick(random, &["stage", "status", "label", "detail", "timestamp"]), json!(poison(random))),
    };
    post_spoiled(server, PROGRESS, body, field, value)
}

fn presign_field(server: &Server, random: &mut Rng) -> Hostile {
    let body =
        json!({ "patient_id": "p1", "filename": "a.pdf", "content_type": "application/pdf", "size": 10 });
    let (field, value) = match random.u8(0..4) {
        0 => (pick(random, &["patient_id", "case_id", "procedure_code"]), not_an_id(random)),
        1 => (
            "size",
            pick(random, &[json!(0), json!(-1), json!(1.5), json!(1e30), json!("10")].each_ref()).clone(),
        ),
        2 => ("filename", json!(pick(random, &["", "../a.pdf", "a/b", "a\0.pdf"]))),
        _ => (pick(random, &["patient_id", "filename", "content_type"]), json!(poison(random))),
    };
    post_spoiled(server, PRESIGN, body, field, value)
}

fn confirm_field(server: &Server, random: &mut Rng) -> Hostile {
    let value = not_an_id(random);
    post_spoiled(server, CONFIRM, json!({}), "document_id", value)
}

fn tokens_field(server: &Server, random: &mut Rng) -> Hostile {
    let body = json!({ "channels": ["doc_progress:p1"] });
    let (field, value) = match random.u8(0..4) {
        0 => (
            "ttl_seconds",
            pick(random, &[json!(0), json!(-1), json!(43_201), json!(1e30)].each_ref()).clone(),
        ),
        1 => (
            "channels",
            pick(random, &[json!([]), json!("a"), json!(["*"]), json!(["*:*"])].each_ref()).clone(),
        ),
        2 => ("role", json!(poison(random))),
        _ => ("channels", json!([format!("doc_progress:{}", poison(random))])),
    };
    post_spoiled(server, TOKENS, body, field, value)
}

fn stream_query(server: &Server, random: &mut Rng) -> Hostile {
    let field = pick(random, &["document_id", "events", "follow", "token", "last_event_id"]);
    let value = poison(random);
    let request = server.get(STREAM).query(&[(field, &value)]);
    match field {
        // A cursor is never refused, but neither is it a way in.
        "token" | "last_event_id" => hostile(format!("{field}={value:?}"), request, 401),
        _ => hostile(format!("{field}={value:?}"), request.bearer_auth(SERVICE_KEY), 400),
    }
}

fn path_id(server: &Server, random: &mut Rng) -> Hostile {
    const IDS: [&str; 9] = ["%0a", "%0d%0a", "%00", "%ff%fe", "%c3%28", "a%20b", "a%3ab", "%2f", "%zz"];
    let id = match random.u8(0..5) {
        0 => "x".repeat(129),
        _ => pick(random, &IDS).to_owned(),
    };
    let path = match random.u8(0..3) {
        0 => format!("/api/v1/patients/{id}/documents/stream"),
        1 => format!("/api/v1/patients/{id}/documents"),
        _ => return hostile(id.clone(), server.put(&format!("/api/v1/uploads/{id}/file"), vec![b'x']), 400),
    };
    hostile(path.clone(), server.get(&path).bearer_auth(SERVICE_KEY), 400)
}

fn credentials(server: &Server, random: &mut Rng) -> Hostile {
    let channels = json!(["doc_progress:p1"]);
    let (what, value) = match random.u8(0..8) {
        0 => ("a wrong key", format!("Bearer {SERVICE_KEY}x").into_bytes()),
        1 => ("another scheme", format!("Basic {SERVICE_KEY}").into_bytes()),
        2 => ("no scheme", SERVICE_KEY.into()),
        3 => ("much", [b"Bearer ".to_vec(), vec![b'a'; 4_000]].concat()),
        4 => ("no text", b"Bearer \xff\xfe\xc3\x28".to_vec()),
        5 => ("no algorithm", b"Bearer eyJhbGciOiJub25lIn0.eyJleHAiOjk5OTk5OTk5OTl9.".to_vec()),
        6 => {
            let token = sign_with(
                "another secret than the server's own",
                &json!({ "exp": in_seconds(60), "channels": channels }),
            );
            ("another secret", format!("Bearer {token}").into_bytes())
        }
        _ => {
            let token = sign(&json!({ "exp": in_seconds(-60), "channels": channels }));
            ("a token that has ended", format!("Bearer {token}").into_bytes())
        }
    };
    let request = match random.u8(0..3) {
        0 => {
            server.post(PROGRESS, &json!({ "patient_id": "p1", "document_id": "d1", "stage": "ocr_started" }))
        }
        1 => server.post(CONFIRM, &json!({ "document_id": "d1" })),
        _ => server
            .get(STREAM)
            .header("Last-Event-ID", &b"\xff\xfe"[..])
            .header("Cookie", "tidings_token=a;;=;\""),
    };
    hostile(what, request.header("Authorization", value), 401)
}

fn other_patient(server: &Server, random: &mut Rng) -> Hostile {
    let token = viewer(&["doc_progress:p2", "chat:p1"]);
    let presign =
        json!({ "patient_id": "p1", "filename": "a", "content_type": "application/pdf", "size": 10 });
    match random.u8(0..5) {
        0 => hostile("stream", server.get(STREAM).bearer_auth(token), 403),
        1 => hostile("list", server.get("/api/v1/patients/p1/documents").bearer_auth(token), 403),
        2 => hostile("presign", server.post(PRESIGN, &presign).bearer_auth(token), 403),
        3 => hostile(
            "widen",
            server.post(TOKENS, &json!({ "channels": ["doc_progress:*"] })).bearer_auth(token),
            403,
        ),
        _ => hostile(
            "as a service",
            server.post(PROGRESS, &json!({ "patient_id": "p2" })).bearer_auth(token),
            401,
        ),
    }
}

fn not_json(server: &Server, random: &mut Rng) -> Hostile {
    let depth = 5_000;
    let (what, body) = match random.u8(0..6) {
        0 => ("invalid UTF-8", b"{\"patient_id\":\"\xff\xfe\",\"document_id\":\"\xc3\x28\"}".to_vec()),
        1 => ("deep arrays", [vec![b'['; depth], vec![b']'; depth]].concat()),
        2 => ("deep objects", [b"{\"a\":".repeat(1_500), b"{}".to_vec(), vec![b'}'; 1_500]].concat()),
        3 => ("deep and open", [b"{\"patient_id\":".to_vec(), vec![b'['; depth]].concat()),
        4 => ("nothing", Vec::new()),
        _ => ("noise", (0..random.usize(1..200)).map(|_| random.u8(0x80..)).collect()),
    };
    let route = pick(random, &JSON_ROUTES);
    let request = server.http.post(format!("{}{route}", server.url)).bearer_auth(SERVICE_KEY);
    hostile(format!("{route} {what}"), request.header("Content-Type", "application/json").body(body), 400)
}

fn unknown_route(server: &Server, random: &mut Rng) -> Hostile {
    const PATHS: [&str; 8] = [
        "/api/v1/patients",
        "/api/v2/progress",
        "/.env",
        "/wp-login.php",
        "//",
        "/%2e%2e%2f%2e%2e%2fetc/passwd",
        "/page.js%00",
        "/api/v1/progress/%ff",
    ];
    let path = pick(random, &PATHS);
    let method = pick(random, &[&Method::GET, &Method::POST, &Method::PUT, &Method::DELETE]).clone();
    hostile(path, server.http.request(method, format!("{}{path}", server.url)), 404)
}

fn wrong_method(server: &Server, random: &mut Rng) -> Hostile {
    let path = pick(random, &[PROGRESS, PRESIGN, CONFIRM, TOKENS, STREAM, "/", "/healthz", "/metrics"]);
    let method = pick(random, &[&Method::DELETE, &Method::PATCH, &Method::PUT, &Method::TRACE]).clone();
    hostile(format!("{method} {path}"), server.http.request(method, format!("{}{path}", server.url)), 405)
}

fn wrong_type(server: &Server, random: &mut Rng) -> Hostile {
    const TYPES: [&str; 6] = [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "application/json\t x",
        "*/*",
        "",
    ];
    let (route, media_type) = (pick(random, &JSON_ROUTES), pick(random, &TYPES));
    let request = server.http.post(format!("{}{route}", server.url)).bearer_auth(SERVICE_KEY);
    hostile(format!("{route} {media_type:?}"), request.header("Content-Type", media_type).body("{}"), 415)
}
