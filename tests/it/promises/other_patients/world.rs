//! A server on which Ana has one of everything, and Ben little.

use serde_json::{Value, json};

use crate::support::{
    Message, Server, Viewer,
    documents::fixture,
    tokens::{SERVICE_KEY, in_seconds, sign},
};

/// What only Ana and services may read.
pub const MARK: &str = "ANA-ONLY";
pub const SETTINGS: [(&str, &str); 4] = [
    ("STREAM_KINDS", "imports"),
    ("HEARTBEAT_INTERVAL_MS", "500"),
    ("POLL_INTERVAL_MS", "100"),
    ("POLL_IDLE_INTERVAL_MS", "100"),
];

/// By which names somebody's things are asked for.
pub struct Names {
    pub patient: String,
    pub case: String,
    pub job: String,
    /// One that is complete, one that failed, one that was put and not confirmed.
    pub documents: [String; 3],
}

impl Names {
    pub fn of(patient: &str) -> Self {
        let documents = [1, 2, 3].map(|number| format!("00000000-0000-7000-8000-{number:012}"));
        Self { patient: patient.into(), case: format!("case-{patient}"), job: patient.into(), documents }
    }

    /// A patient nobody has heard of.
    pub fn of_nobody() -> Self {
        Self::of("zoe")
    }

    pub fn streams(&self) -> [String; 3] {
        let Self { patient, case, job, .. } = self;
        [
            format!("/api/v1/patients/{patient}/documents/stream"),
            format!("/api/v1/cases/{case}/chat/stream"),
            format!("/api/v1/streams/imports/{job}"),
        ]
    }
}

pub struct World {
    pub server: Server,
    pub ana: Names,
    /// A message of Ana's.
    pub message: String,
    /// What Ana's browser holds: cursors of each of her streams, with marks and without.
    pub cursors: Vec<String>,
    /// The query of Ben's own upload, with its token.
    pub bens_upload: String,
}

impl World {
    pub async fn of(server: Server) -> Self {
        let mut world = Self {
            server,
            ana: Names::of("ana"),
            message: "message-of-ana".into(),
            cursors: Vec::new(),
            bens_upload: String::new(),
        };
        let complete = world.upload("ana", "lab_report.pdf").await;
        let failed = world.upload("ana", "encrypted.pdf").await;
        let put = world.upload("ana", "mri_knee.pdf").await;
        let bens = world.upload("ben", "mri_knee.pdf").await;
        world.bens_upload = bens.1;
        for (document, _) in [&complete, &failed] {
            let confirmed = world.serve("/api/v1/uploads/confirm", json!({ "document_id": document })).await;
            let stream = world.server.get(confirmed["stream_url"].as_str().unwrap());
            Viewer::open(stream.bearer_auth(SERVICE_KEY)).await.rest().await;
        }
        world.ana.documents = [complete.0, failed.0, put.0];
        world.emit("ana", "pushed", "ocr_started", MARK).await;
        let message = json!({ "id": world.message, "role": "patient", "content": MARK });
        world.serve("/api/v1/cases/case-ana/messages", message).await;
        world.tell("imports", "ana", MARK).await;
        world.cursors = world.cursors_of_ana().await;
        world
    }

    /// Says whether a text holds anything that is Ana's alone.
    pub fn shows_ana(&self, text: &str) -> bool {
        text.contains(MARK) || self.ana.documents.iter().any(|document| text.contains(document.as_str()))
    }

    /// Posts as a service does.
    async fn serve(&self, path: &str, body: Value) -> Value {
        let answer = self.server.post(path, &body).bearer_auth(SERVICE_KEY).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Announces and puts a file; gives its document id and the query of its URL.
    async fn upload(&self, patient: &str, name: &str) -> (String, String) {
        let file = fixture(name);
        let announced = json!({
            "patient_id": patient, "filename": format!("{}-ONLY-{name}", patient.to_uppercase()),
            "content_type": "application/pdf", "size": file.len(),
            "case_id": format!("case-{patient}"), "procedure_code": "knee_replacement",
        });
        let answer = self.serve("/api/v1/uploads/presign", announced).await;
        let url = answer["upload_url"].as_str().unwrap();
        assert_eq!(self.server.put(url, file).send().await.unwrap().status(), 200);
        (answer["document_id"].as_str().unwrap().into(), url.split_once('?').unwrap().1.into())
    }

    pub async fn emit(&self, patient: &str, document: &str, stage: &str, detail: &str) {
        let event =
            json!({ "patient_id": patient, "document_id": document, "stage": stage, "detail": detail });
        self.serve("/api/v1/progress", event).await;
    }

    async fn tell(&self, kind: &str, id: &str, text: &str) {
        let event = json!({ "type": "row.read", "data": { "text": text } });
        self.serve(&format!("/api/v1/streams/{kind}/{id}/events"), event).await;
    }

    /// Tells of Ana and of Ben on every kind of channel, Ana first.
    pub async fn tell_of_both(&self) {
        for (who, text) in [("ana", MARK), ("ben", "BEN-ONLY")] {
            self.emit(who, "pushed", "ocr_complete", text).await;
            self.tell("imports", who, text).await;
            self.tell("chat", &format!("case-{who}"), text).await;
        }
    }

    /// The first and the last cursor of each of Ana's streams, and one that she would be told is over.
    async fn cursors_of_ana(&self) -> Vec<String> {
        let mut cursors = vec!["earliest".into(), "1-0~done.0".into()];
        for stream in self.ana.streams() {
            let request = self.server.get(&format!("{stream}?last_event_id=earliest&follow=1"));
            let mut viewer = Viewer::open(request.bearer_auth(SERVICE_KEY)).await;
            let mut ids = Vec::new();
            loop {
                let message: Message = viewer.next().await.expect("the stream stays open");
                ids.extend(message.id.clone());
                if message.name == "heartbeat" && ids.len() > 1 {
                    break;
                }
            }
            cursors.extend([ids[0].clone(), ids.pop().unwrap()]);
        }
        cursors
    }

    /// Queries on a stream of one's own that name what is Ana's.
    pub fn foreign_queries(&self) -> Vec<String> {
        let own = sign(&json!({ "exp": in_seconds(60), "channels": ["doc_progress:ben"] }));
        let mut queries: Vec<_> =
            self.ana.documents.iter().map(|document| format!("follow=1&document_id={document}")).collect();
        queries.extend([
            format!("follow=1&document_id=pushed-not&document_id={}", self.ana.documents[0]),
            "follow=1&events=progress,message,row.read,document_update".into(),
            "follow=1&patient_id=ana&case_id=case-ana&id=ana&channel=doc_progress:ana".into(),
            format!("follow=1&last_event_id=earliest&token={own}"),
        ]);
        queries
    }
}
