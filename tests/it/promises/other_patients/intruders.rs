//! Everybody but Ana and services, by their tokens.

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::{attempts::Guard, world::World};
use crate::support::tokens::{in_seconds, sign, sign_with};

/// How a token may come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    Header,
    Query,
    Cookie,
}

impl Way {
    pub const ALL: [Self; 3] = [Self::Header, Self::Query, Self::Cookie];
}

pub struct Intruder {
    pub name: &'static str,
    token: Option<String>,
    /// What its token rightly covers.
    covers: &'static [Guard],
}

impl Intruder {
    /// Says whether its token covers what guards this.
    pub fn may(&self, guard: Guard) -> bool {
        self.covers.contains(&guard)
    }

    /// Says whether it is rightly told of something of Ana's.
    pub const fn knows_ana(&self) -> bool {
        !self.covers.is_empty()
    }

    /// Sends its token along.
    pub fn give(&self, way: Way, request: RequestBuilder) -> RequestBuilder {
        match (&self.token, way) {
            (None, _) => request,
            (Some(token), Way::Header) => request.bearer_auth(token),
            (Some(token), Way::Query) => request.query(&[("token", token)]),
            (Some(token), Way::Cookie) => request.header("Cookie", format!("a=b; tidings_token={token}")),
        }
    }
}

pub fn intruders(world: &World) -> Vec<Intruder> {
    let signed = |name, claims| Intruder { name, token: Some(token(claims)), covers: &[] };
    let of_ana = json!({ "exp": in_seconds(60), "channels": ["doc_progress:ana"], "sub": "ana" });
    let bens = ["doc_progress:ben", "chat:case-ben", "imports:ben"];
    let upload = world.bens_upload.trim_start_matches("token=").to_owned();
    let mut all = vec![
        Intruder { name: "nobody", token: None, covers: &[] },
        signed("ben", json!({ "channels": bens })),
        signed("ben by sub", json!({ "sub": "ben" })),
        signed("ben as operator", json!({ "channels": bens, "role": "operator" })),
        signed("ben as service", json!({ "channels": bens, "role": "service" })),
        signed("ben, ended", json!({ "channels": bens, "exp": in_seconds(-60) })),
        signed("who covers nothing", json!({})),
        signed("who shares a beginning", json!({ "channels": ["doc_progress:an", "doc_progress:anab"] })),
        signed(
            "who shares an end",
            json!({ "channels": ["doc_progress:na", "chat:ana", "imports:case-ana"] }),
        ),
        signed("who writes it otherwise", json!({ "channels": ["doc_progress:ANA", "DOC_PROGRESS:ana"] })),
        signed("who adds a space", json!({ "channels": ["doc_progress:ana ", " doc_progress:ana"] })),
        signed("who adds a line", json!({ "channels": ["doc_progress:ben\ndoc_progress:ana"] })),
        signed("who lists in one text", json!({ "channels": ["doc_progress:ben,doc_progress:ana"] })),
        signed(
            "who wants all",
            json!({ "channels": ["*", "*:*", "*:ana", ":*", "doc_progress", "doc_progress:"] }),
        ),
        signed(
            "who wants some",
            json!({ "channels": ["doc_progress:a*", "doc_progress:**", "doc_progress:?na"] }),
        ),
        signed("who walks", json!({ "channels": ["doc_progress:ben/../ana", "doc_progress:%61na"] })),
        signed("a sub of all", json!({ "sub": "*" })),
        signed("a sub with its kind", json!({ "sub": "doc_progress:ana" })),
        signed("an empty sub", json!({ "sub": "" })),
        Intruder { covers: &[Guard::Chat], ..signed("all chats", json!({ "channels": ["chat:*"] })) },
        Intruder { covers: &[Guard::Import], ..signed("all imports", json!({ "channels": ["imports:*"] })) },
        Intruder { covers: &[Guard::Documents], ..signed("ana without a case", json!({ "sub": "ana" })) },
        Intruder { name: "who may put a file", token: Some(upload), covers: &[] },
    ];
    let forged = |name, token| Intruder { name, token: Some(token), covers: &[] };
    all.extend([
        forged("ana by another secret", sign_with("another secret than the server's own", &of_ana)),
        forged("ana by an empty secret", sign_with("", &of_ana)),
        forged("ana, unsigned", unsigned(&of_ana)),
        forged("ana, cut", sign(&of_ana).rsplit_once('.').unwrap().0.to_owned() + "."),
        forged("ana, claims changed", with_claims_of(&token(json!({ "sub": "ben" })), &sign(&of_ana))),
        forged("ana, ended", sign(&json!({ "exp": in_seconds(-60), "sub": "ana" }))),
        forged("ana, without an end", sign(&json!({ "sub": "ana" }))),
        forged("ana, endless as text", sign(&json!({ "exp": "never", "sub": "ana" }))),
        forged("channels as a text", token(json!({ "channels": "doc_progress:ana" }))),
        forged("the wrong key", "service-key-of-the-test".into()),
    ]);
    all
}

/// A token of these claims; for a minute, if they do not say how long.
fn token(mut claims: Value) -> String {
    if claims.get("exp").is_none() {
        claims["exp"] = in_seconds(60).into();
    }
    sign(&claims)
}

/// What some libraries take: no algorithm, no signature.
fn unsigned(claims: &Value) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    format!("{head}.{}.", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// Puts the claims of one token under the signature of another.
fn with_claims_of(signed: &str, claims: &str) -> String {
    let (head, signature) = (signed.split('.').next().unwrap(), signed.rsplit('.').next().unwrap());
    format!("{head}.{}.{signature}", claims.split('.').nth(1).unwrap())
}
