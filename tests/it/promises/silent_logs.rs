//! What a server is told in confidence is in no line of its log, however much it logs.

use std::collections::BTreeMap;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    Database, Queue, Redis, RedisRest, S3, Server, Viewer,
    analyzer::{Answer, AnswersInTurn},
    documents::fixture,
    ocr::Relay,
    otlp::Collector,
    queue::Destination,
    s3,
    tokens::{SECRET, SERVICE_KEY, claims, in_seconds, sign, sign_with},
};

const QUEUE_TOKEN: &str = "token-of-the-queue-in-the-log-test";
const QUEUE_KEYS: [&str; 2] = ["sig_current_in_the_log_test", "sig_next_in_the_log_test"];
const REDIS_TOKEN: &str = "token-of-redis-in-the-log-test";
const ANALYZER_TOKEN: &str = "token-of-the-analyzer-in-the-log-test";
const TRACES_TOKEN: &str = "token-of-the-traces-in-the-log-test";
const DATABASE_PASSWORD: &str = "password-in-the-log-test";
/// What stands in every payload.
const PAYLOAD: &str = "osteoarthritis-of-the-log-test";
const PATIENT: &str = "patient-of-the-log-test";
const CASE: &str = "case-of-the-log-test";
/// Shorter lines of a text could stand in a log by chance.
const TELLING: usize = 12;

/// All that a server can be connected to, and what must not be logged of it.
struct World {
    server: Server,
    redis: Redis,
    s3: S3,
    analyzer: AnswersInTurn,
    secrets: BTreeMap<String, String>,
    _running: (RedisRest, Database, Queue, Destination, Relay, Collector),
}

impl World {
    async fn start(filter: &str, format: &str) -> Self {
        let redis = Redis::start();
        let front = RedisRest::with_token(&redis, REDIS_TOKEN);
        let (database, s3, collector) = (Database::new().await, S3::start(), Collector::start().await);
        let queue = Queue::start_with(&[
            "--listen",
            "127.0.0.1:0",
            "--time-scale",
            "0.001",
            "--token",
            QUEUE_TOKEN,
            "--current-signing-key",
            QUEUE_KEYS[0],
            "--next-signing-key",
            QUEUE_KEYS[1],
        ])
        .unwrap();
        let read = json!({ "text": format!("Diagnosis: {PAYLOAD}"), "pages": 1 }).to_string();
        let worker = Destination::answering(vec![(200, &[], read)]).await;
        let findings = r#"{"diagnoses":[{"code":"M17.1","name":"osteoarthritis-of-the-log-test"}]}"#;
        let faulty = Answer::With(400, "osteoarthritis-of-the-log-test");
        let analyzer = AnswersInTurn::start(&[Answer::With(200, findings), faulty]).await;
        let public = Relay::start().await;
        let database_url = database.url.replacen('@', &format!(":{DATABASE_PASSWORD}@"), 1);
        let traces = format!("Authorization=Bearer%20{TRACES_TOKEN}");
        let mut environment = vec![
            ("APP_ENV", "production"),
            ("AUTH_JWT_SECRET", SECRET),
            ("INTERNAL_API_KEY", SERVICE_KEY),
            ("RUST_LOG", filter),
            ("LOG_FORMAT", format),
            ("STREAM_KINDS", "imports"),
            ("UPSTASH_REDIS_REST_URL", &front.url),
            ("UPSTASH_REDIS_REST_TOKEN", REDIS_TOKEN),
            ("UPSTASH_WAKE", "on"),
            ("DATABASE_URL", &database_url),
            ("OCR_URL", &worker.url),
            ("PUBLIC_URL", &public.url),
            ("QSTASH_URL", &queue.url),
            ("QSTASH_TOKEN", QUEUE_TOKEN),
            ("QSTASH_CURRENT_SIGNING_KEY", QUEUE_KEYS[0]),
            ("QSTASH_NEXT_SIGNING_KEY", QUEUE_KEYS[1]),
            ("ANALYZER_URL", &analyzer.url),
            ("ANALYZER_TOKEN", ANALYZER_TOKEN),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url),
            ("OTEL_EXPORTER_OTLP_HEADERS", &traces),
        ];
        environment.extend(s3.environment());
        let server = Server::start(&environment);
        public.lead_to(&server.url);
        let secrets = [
            ("the secret of tokens", SECRET),
            ("the internal key", SERVICE_KEY),
            ("the token of Redis", REDIS_TOKEN),
            ("the password of the database", DATABASE_PASSWORD),
            ("the secret of the bucket", s3::SECRET),
            ("the token of the queue", QUEUE_TOKEN),
            ("a signing key", QUEUE_KEYS[0]),
            ("the next signing key", QUEUE_KEYS[1]),
            ("the token of the analyzer", ANALYZER_TOKEN),
            ("the token of traces", TRACES_TOKEN),
            ("a payload", PAYLOAD),
            ("a patient", PATIENT),
            ("a case", CASE),
        ];
        let secrets = secrets.map(|(name, secret)| (name.to_owned(), secret.to_owned())).into();
        let _running = (front, database, queue, worker, public, collector);
        Self { server, redis, s3, analyzer, secrets, _running }
    }

    /// Remembers what must not be logged. Of a token any part is telling: its signature, and what it claims.
    fn hide(&mut self, name: &str, secret: &str) {
        for (place, part) in secret.split('.').enumerate().filter(|(_, part)| part.len() >= TELLING) {
            // The head of every token is the same, and tells nothing.
            if !(place == 0 && secret.split('.').count() == 3) {
                self.secrets.insert(format!("{name}, part {place}"), part.to_owned());
            }
        }
    }

    async fn serve(&self, path: &str, body: Value) -> Value {
        let answer = self.server.post(path, &body).bearer_auth(SERVICE_KEY).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Puts and confirms a file, and waits for its end.
    async fn upload(&mut self, name: &str) -> String {
        let file = fixture(name);
        let announced = json!({
            "patient_id": PATIENT, "filename": format!("{PAYLOAD}.pdf"), "content_type": "application/pdf",
            "size": file.len(), "case_id": CASE, "procedure_code": "knee_replacement",
        });
        let answer = self.serve("/api/v1/uploads/presign", announced).await;
        let document = answer["document_id"].as_str().unwrap().to_owned();
        let url = answer["upload_url"].as_str().unwrap();
        let signature = url.split_once("X-Amz-Signature=").unwrap().1.split('&').next().unwrap().to_owned();
        self.hide("a signature for the bucket", &signature);
        let put = reqwest::Client::new().put(url).body(file).send().await.unwrap();
        assert_eq!(put.status(), 200);
        let confirmed = self.serve("/api/v1/uploads/confirm", json!({ "document_id": document })).await;
        self.hide("a token that confirm gave", confirmed["token"].as_str().unwrap());
        let stream = self.server.get(confirmed["stream_url"].as_str().unwrap());
        let seen = Viewer::open(stream.bearer_auth(SERVICE_KEY)).await.rest().await;
        assert_eq!(seen.last().unwrap().name, "done", "{name}: {seen:?}");
        document
    }

    /// Tells of the patient in every way there is.
    async fn tell(&mut self) {
        let event = json!({
            "patient_id": PATIENT, "document_id": "d1", "stage": "ocr_started", "detail": PAYLOAD, "note": PAYLOAD,
        });
        self.serve("/api/v1/progress", event).await;
        let message = json!({ "id": "m1", "role": "patient", "content": PAYLOAD });
        self.serve(&format!("/api/v1/cases/{CASE}/messages"), message).await;
        let typed = json!({ "type": "row.read", "data": { "text": PAYLOAD } });
        self.serve(&format!("/api/v1/streams/imports/{PATIENT}/events"), typed).await;
        let pushed = json!({ "document_id": "d2", "stage": "nonsense", "detail": PAYLOAD }).to_string();
        self.redis.push(&format!("doc_progress:{PATIENT}"), &pushed).await;
    }

    /// Watches in each way a token may come, and asks for more with it.
    async fn watch(&mut self) -> Vec<Viewer> {
        let channels = [&format!("doc_progress:{PATIENT}"), &format!("chat:{CASE}"), "imports:*"];
        let issued = self.serve("/api/v1/tokens", json!({ "channels": channels })).await;
        let token = issued["token"].as_str().unwrap().to_owned();
        assert_eq!(claims(&token)["role"], "patient");
        self.hide("a viewer's token", &token);
        let documents = format!("/api/v1/patients/{PATIENT}/documents/stream?follow=1");
        let chat = format!("/api/v1/cases/{CASE}/chat/stream");
        let viewers = [
            self.server.get(&documents).bearer_auth(&token),
            self.server.get(&format!("{chat}?token={token}")),
            self.server.get(&documents).header("Cookie", format!("tidings_token={token}")),
        ];
        let viewers = join_all(viewers.map(Viewer::open)).await;
        assert!(viewers.iter().all(|viewer| viewer.status == 200));
        let renewed =
            self.server.post("/api/v1/tokens", &json!({ "channels": channels })).bearer_auth(&token);
        assert_eq!(renewed.send().await.unwrap().status(), 200);
        viewers
    }

    /// Sends what is refused, with secrets and payloads in every place.
    async fn annoy(&mut self) {
        let foreign = sign_with(
            "another secret than the server's own",
            &json!({ "exp": in_seconds(60), "sub": PATIENT }),
        );
        let ended = sign(&json!({ "exp": in_seconds(-60), "sub": PATIENT }));
        self.hide("a foreign token", &foreign);
        self.hide("a token that has ended", &ended);
        let list = format!("/api/v1/patients/{PATIENT}/documents");
        let refused = [
            self.server.get(&list).bearer_auth(&foreign),
            self.server.get(&format!("{list}?token={ended}")),
            self.server.get(&format!("/api/v1/patients/{PATIENT}%20/documents")).bearer_auth(SERVICE_KEY),
            self.server.get(&format!("/nowhere/{PATIENT}?token={foreign}")),
            self.server.post("/api/v1/progress", &json!({ "patient_id": PATIENT, "stage": PAYLOAD })),
            self.server
                .post("/api/v1/progress", &json!({ "patient_id": [PAYLOAD] }))
                .bearer_auth(SERVICE_KEY),
            self.server.post("/api/v1/uploads/presign", &json!(PAYLOAD)).bearer_auth(SERVICE_KEY),
            self.server
                .post(
                    &format!("/api/v1/webhooks/qstash/ocr?document_id={PATIENT}"),
                    &json!({ "body": PAYLOAD }),
                )
                .header("Upstash-Signature", &foreign),
            self.server.put(&format!("/api/v1/uploads/{PATIENT}/file?token={foreign}"), PAYLOAD.into()),
        ];
        for request in refused {
            let status = request.send().await.unwrap().status();
            assert!(status.is_client_error(), "{status}");
        }
    }

    /// Lets the parts fail that carry secrets and payloads.
    async fn break_parts(&mut self) {
        let document = self.upload("mri_knee.pdf").await;
        let retry = self.server.post(&format!("/api/v1/documents/{document}/retry"), &Value::Null);
        assert_eq!(
            retry.bearer_auth(SERVICE_KEY).send().await.unwrap().status(),
            202,
            "the analyzer had failed"
        );
        self.redis.crash();
        let event =
            json!({ "patient_id": PATIENT, "document_id": "d3", "stage": "ocr_started", "detail": PAYLOAD });
        let told = self.serve("/api/v1/progress", event).await;
        assert_eq!(told["stored"], false);
        self.s3.stop();
        let announced = json!({
            "patient_id": PATIENT, "filename": PAYLOAD, "content_type": "application/pdf", "size": 10,
        });
        let answer = self.serve("/api/v1/uploads/presign", announced).await;
        let confirm = json!({ "document_id": answer["document_id"] });
        let confirmed = self.server.post("/api/v1/uploads/confirm", &confirm).bearer_auth(SERVICE_KEY);
        assert_eq!(confirmed.send().await.unwrap().status(), 503);
    }

    /// What of all that is confidential stands in the log.
    fn leaks(&self) -> Vec<String> {
        let log = self.server.log();
        let texts: Vec<String> =
            self.analyzer.asked().iter().map(|(_, body)| body["text"].as_str().unwrap().into()).collect();
        assert!(texts.iter().any(|text| text.contains(PAYLOAD)) && texts.len() > 1, "texts were analyzed");
        let lines =
            texts.iter().flat_map(|text| text.lines()).map(str::trim).filter(|line| line.len() >= TELLING);
        let lines = lines.map(|line| ("a line of a document", line));
        let secrets = self.secrets.iter().map(|(name, secret)| (name.as_str(), secret.as_str()));
        let logged = |secret: &str| {
            log.lines().find(|line| line.contains(secret)).map(|line| line.chars().take(300).collect())
        };
        let found = secrets.chain(lines).filter_map(|(name, secret)| Some((name, secret, logged(secret)?)));
        found
            .map(|(name, secret, line): (_, _, String)| format!("{name} ({secret}) is logged: {line}"))
            .collect()
    }
}

async fn nothing_confidential_is_logged(filter: &str, format: &str) {
    let mut world = World::start(filter, format).await;
    let viewers = world.watch().await;

    world.tell().await;
    world.upload("lab_report.pdf").await;
    world.upload("scanned_letter.pdf").await;
    world.annoy().await;
    world.break_parts().await;
    for mut viewer in viewers {
        viewer.until("heartbeat").await;
    }
    drop(world.server.get("/metrics").send().await);
    world.server.terminate();
    assert!(world.server.ended(std::time::Duration::from_secs(20)).await.is_some());

    assert_eq!(world.leaks(), [""; 0]);
    let log = world.server.log();
    assert!(log.lines().count() > 5, "it does log: {log}");
    // What is looked for would be found: routes are logged as they are written here.
    assert_eq!(log.contains("/api/v1/patients/{patient_id}/documents"), filter == "trace", "{filter}");
    eprintln!("{} lines at {filter}", log.lines().count());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_confidential_is_logged_as_usual() {
    nothing_confidential_is_logged("info", "json").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_with_every_line_that_there_is() {
    nothing_confidential_is_logged("trace", "text").await;
}
