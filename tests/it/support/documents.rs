//! Uploading as the page does it.

use serde_json::{Value, json};

use super::{Message, Site, Viewer};

/// The six steps in order.
pub const STAGES: [&str; 6] = [
    "upload_received",
    "ocr_started",
    "ocr_complete",
    "analysis_started",
    "analysis_complete",
    "matching_complete",
];

/// Reads a file of `fixtures/`.
pub fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn content_type(name: &str) -> &'static str {
    if name.ends_with(".png") { "image/png" } else { "application/pdf" }
}

/// Announces and puts a file; answers its document id.
pub async fn put(site: &Site, patient: &str, name: &str) -> String {
    put_in(site, patient, name, &Value::Null).await
}

/// Announces and puts a file of a case.
pub async fn put_in_case(site: &Site, patient: &str, name: &str, case: &str) -> String {
    put_in(site, patient, name, &json!(case)).await
}

async fn put_in(site: &Site, patient: &str, name: &str, case: &Value) -> String {
    let file = fixture(name);
    let body = json!({
        "patient_id": patient, "filename": name, "content_type": content_type(name), "size": file.len(),
        "procedure_code": "knee_replacement", "case_id": case,
    });
    let answer = site.post("/api/v1/uploads/presign", &body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let answer: Value = answer.json().await.unwrap();
    let put = site.put(answer["upload_url"].as_str().unwrap(), file).send().await.unwrap();
    assert_eq!(put.status(), 200);
    answer["document_id"].as_str().unwrap().to_owned()
}

/// Confirms a document that has been put.
pub async fn confirm(site: &Site, document: &str) -> Value {
    let answer =
        site.post("/api/v1/uploads/confirm", &json!({ "document_id": document })).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    answer.json().await.unwrap()
}

/// Emits one step as a service does.
pub async fn emit(site: &Site, patient: &str, document: &str, stage: &str) -> Value {
    let body = json!({ "patient_id": patient, "document_id": document, "stage": stage });
    let answer = site.post("/api/v1/progress", &body).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    answer.json().await.unwrap()
}

/// Reads the stream of one document to its end, over reconnects.
pub async fn read_named(site: &Site, patient: &str, document: &str) -> Vec<Message> {
    let stream = format!("/api/v1/patients/{patient}/documents/stream?document_id={document}");
    for _ in 0..100 {
        let seen = Viewer::open(site.get(&stream)).await.rest().await;
        if seen.last().is_some_and(|message| message.name == "done") {
            return seen;
        }
    }
    panic!("{document} never ends");
}

/// Writes a PDF of one page that says `lines`.
pub fn pdf_of(lines: &[&str]) -> Vec<u8> {
    let shown = |line: &&str| {
        format!("({}) Tj T*", line.replace('\\', "\\\\").replace('(', "\\(").replace(')', "\\)"))
    };
    let text: Vec<_> = lines.iter().map(shown).collect();
    let content = format!("BT /F1 12 Tf 16 TL 72 720 Td {} ET", text.join("\n"));
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".into(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R /Resources << /Font << /F1 4 0 R >> >> >>".into(),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".into(),
        format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()),
    ];
    let mut file = "%PDF-1.4\n".to_owned();
    let mut places = Vec::new();
    for (number, object) in objects.iter().enumerate() {
        places.push(format!("{:010} 00000 n \n", file.len()));
        file.push_str(&format!("{} 0 obj\n{object}\nendobj\n", number + 1));
    }
    let (start, count) = (file.len(), objects.len() + 1);
    let table = places.concat();
    file.push_str(&format!(
        "xref\n0 {count}\n0000000000 65535 f \n{table}trailer\n<< /Size {count} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
    ));
    file.into_bytes()
}
