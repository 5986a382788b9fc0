//! Every way to ask for what is somebody's.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::world::{Names, World};
use crate::support::Server;

/// What has to be covered for an attempt to be right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Guard {
    Documents,
    Chat,
    Import,
    /// Only services, or whoever holds a link.
    Nobody,
}

pub struct Attempt {
    pub what: String,
    pub guard: Guard,
    method: Method,
    body: Option<Value>,
}

impl Attempt {
    fn get(guard: Guard, path: impl Into<String>) -> Self {
        Self { what: path.into(), guard, method: Method::GET, body: None }
    }

    fn post(guard: Guard, path: impl Into<String>, body: Value) -> Self {
        Self { what: path.into(), guard, method: Method::POST, body: Some(body) }
    }

    pub fn request(&self, server: &Server) -> RequestBuilder {
        let request = server.http.request(self.method.clone(), format!("{}{}", server.url, self.what));
        match &self.body {
            Some(body) => request.json(body),
            None => request,
        }
    }
}

/// Asks for all that is somebody's, in the same order for everybody.
pub fn attempts(world: &World, whose: &Names) -> Vec<Attempt> {
    let mut all = streams(world, whose);
    all.extend(uploads(world, whose));
    all.extend(writes(whose));
    let Names { patient, case, documents, .. } = whose;
    all.extend([
        Attempt::get(Guard::Documents, format!("/api/v1/patients/{patient}/documents")),
        Attempt::get(
            Guard::Documents,
            format!("/api/v1/patients/%{:x}{}/documents", patient.as_bytes()[0], &patient[1..]),
        ),
        Attempt::get(Guard::Documents, format!("/api/v1/patients/ben/../{patient}/documents")),
        Attempt::get(Guard::Nobody, format!("/api/v1/patients/ben%2F..%2F{patient}/documents")),
        Attempt::get(Guard::Nobody, format!("/api/v1/patients/{patient}%20/documents")),
        Attempt::get(Guard::Chat, format!("/api/v1/cases/{case}/checklist")),
        Attempt::get(Guard::Nobody, format!("/api/v1/documents/{}/file", documents[0])),
    ]);
    all
}

fn streams(world: &World, whose: &Names) -> Vec<Attempt> {
    let guards = [Guard::Documents, Guard::Chat, Guard::Import];
    let mut all = Vec::new();
    for (stream, guard) in whose.streams().into_iter().zip(guards) {
        all.push(Attempt::get(guard, stream.clone()));
        all.push(Attempt::get(guard, format!("{stream}?events=progress,message&follow=1")));
        let cursors = ["earliest", "0-0", &world.cursors[2]];
        all.extend(cursors.map(|cursor| Attempt::get(guard, format!("{stream}?last_event_id={cursor}"))));
    }
    let [stream, ..] = whose.streams();
    let named = whose.documents.iter().map(|document| format!("{stream}?document_id={document}"));
    all.extend(named.map(|path| Attempt::get(Guard::Documents, path)));
    // Through the door for other kinds.
    all.push(Attempt::get(Guard::Nobody, format!("/api/v1/streams/doc_progress/{}", whose.patient)));
    all.push(Attempt::get(Guard::Nobody, format!("/api/v1/streams/chat/{}", whose.case)));
    all.push(Attempt::get(
        Guard::Nobody,
        format!("/api/v1/streams/tidings/log:doc_progress:{}", whose.patient),
    ));
    all
}

fn uploads(world: &World, whose: &Names) -> Vec<Attempt> {
    let announced = |patient: &str, case: &str| {
        json!({
            "patient_id": patient, "filename": "a.pdf", "content_type": "application/pdf", "size": 10, "case_id": case,
        })
    };
    let presign = "/api/v1/uploads/presign";
    let mut all = vec![
        // Who covers the documents does not cover the case, and the other way round.
        Attempt::post(Guard::Nobody, presign, announced(&whose.patient, &whose.case)),
        Attempt::post(Guard::Nobody, presign, announced(&whose.patient, "case-ben")),
    ];
    for document in &whose.documents {
        let body = json!({ "document_id": document });
        all.push(Attempt::post(Guard::Documents, "/api/v1/uploads/confirm", body));
        all.push(Attempt::post(Guard::Documents, format!("/api/v1/documents/{document}/retry"), Value::Null));
        let file = format!("/api/v1/uploads/{document}/file?{}", world.bens_upload);
        all.push(Attempt { method: Method::PUT, ..Attempt::get(Guard::Nobody, file) });
        let link = format!("/api/v1/documents/{document}/file?{}", world.bens_upload);
        all.push(Attempt::get(Guard::Nobody, link));
    }
    all
}

/// What would put words into somebody's channels.
fn writes(whose: &Names) -> Vec<Attempt> {
    let Names { patient, case, job, documents } = whose;
    let event = json!({ "type": "typing", "data": {} });
    vec![
        Attempt::post(Guard::Chat, format!("/api/v1/cases/{case}/messages"), json!({ "content": "hello" })),
        Attempt::post(Guard::Chat, format!("/api/v1/streams/chat/{case}/events"), event.clone()),
        Attempt::post(Guard::Nobody, format!("/api/v1/streams/imports/{job}/events"), event.clone()),
        Attempt::post(Guard::Nobody, format!("/api/v1/streams/doc_progress/{patient}/events"), event),
        Attempt::post(
            Guard::Nobody,
            "/api/v1/progress",
            json!({ "patient_id": patient, "document_id": documents[0], "stage": "matching_complete" }),
        ),
    ]
}

/// Requests for tokens that would cover what is Ana's.
pub fn renewals(world: &World) -> Vec<(Guard, Value)> {
    let mut all: Vec<_> = [
        (Guard::Documents, "doc_progress:ana"),
        (Guard::Chat, "chat:case-ana"),
        (Guard::Import, "imports:ana"),
        (Guard::Nobody, "doc_progress:*"),
        (Guard::Chat, "chat:*"),
        (Guard::Import, "imports:*"),
        (Guard::Nobody, "*"),
        (Guard::Nobody, "doc_progress:an*"),
    ]
    .into_iter()
    .flat_map(|(guard, claim)| {
        let alone = json!({ "channels": [claim] });
        let amid_own = json!({ "channels": ["doc_progress:ben", claim, "chat:case-ben"] });
        [(guard, alone), (Guard::Nobody, amid_own)]
    })
    .collect();
    all.push((Guard::Nobody, json!({ "channels": [format!("doc_progress:{}", world.ana.documents[0])] })));
    all
}
