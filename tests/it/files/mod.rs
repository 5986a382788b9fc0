//! Files in a bucket, before a real S3 server.

mod check;
mod confirm;
mod outages;
mod uploads;
mod urls;

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::support::{S3, Server, documents::fixture};

const FILE: &str = "discharge_summary.pdf";

/// A server that keeps its files in a bucket.
fn start() -> (S3, Server) {
    let s3 = S3::start();
    let server = Server::start(&s3.environment());
    (s3, server)
}

/// An announced file and where it is to be put.
struct Announced {
    document: String,
    url: String,
}

impl Announced {
    async fn of(server: &Server, size: usize) -> Self {
        let body = json!({
            "patient_id": "p1", "filename": FILE, "content_type": "application/pdf", "size": size,
        });
        let answer = server.post("/api/v1/uploads/presign", &body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let answer: Value = answer.json().await.unwrap();
        let text = |field: &str| answer[field].as_str().unwrap().to_owned();
        assert_eq!((answer["method"].as_str(), &answer["headers"]), (Some("PUT"), &json!({})));
        Self { document: text("document_id"), url: text("upload_url") }
    }

    /// Announces the usual file and puts it.
    async fn put_whole(server: &Server) -> Self {
        let file = fixture(FILE);
        let announced = Self::of(server, file.len()).await;
        assert_eq!(announced.put(server, file).await, 200);
        announced
    }

    async fn put(&self, server: &Server, file: Vec<u8>) -> u16 {
        status(server.http.put(&self.url).body(file)).await
    }

    async fn confirm(&self, server: &Server) -> (u16, Value) {
        let request = server.post("/api/v1/uploads/confirm", &json!({ "document_id": self.document }));
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    fn taken(&self, s3: &S3) -> Option<Vec<u8>> {
        s3.object(&format!("documents/{}", self.document))
    }

    fn incoming(&self, s3: &S3) -> Option<Vec<u8>> {
        s3.object(&format!("incoming/{}", self.document))
    }
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}
