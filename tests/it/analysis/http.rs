//! The analyzer over HTTP, before servers that answer well, badly or not at all.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::json;
use tidings::documents::analysis::{Analyzer, AnalyzerError, Findings, Flag, HttpAnalyzer};

use crate::support::analyzer::{Answer, AnswersInTurn, nobody};

const TEXT: &str = "Discharge summary. Diagnosis: gout.";

fn analyzer(url: &str) -> HttpAnalyzer {
    HttpAnalyzer::new(url.parse().unwrap(), None, Duration::from_secs(20))
        .with_first_pause(Duration::from_millis(10))
}

async fn outcome(answers: &[Answer]) -> (Result<Findings, AnalyzerError>, usize) {
    let server = AnswersInTurn::start(answers).await;
    let outcome = analyzer(&server.url).analyze(TEXT.into()).await;
    (outcome, server.asked().len())
}

#[tokio::test]
async fn a_question_is_of_the_schema_and_so_is_the_answer() {
    let answer = r#"{"document_type":"discharge_summary","diagnoses":[{"code":"M10.9","name":"Gout"}],
        "lab_values":[{"name":"Urate","analyte":"urate","value":512,"unit":"umol/L","flag":"high"}],"dates":["2026-03-05"]}"#;
    let server = AnswersInTurn::start(&[Answer::With(200, answer)]).await;
    let token = Some(SecretString::from("secret"));

    let asking = HttpAnalyzer::new(server.url.parse().unwrap(), token, Duration::from_secs(20));
    let findings = asking.analyze(TEXT.into()).await.unwrap();

    let [(headers, body)] = &server.asked()[..] else { panic!("asked once") };
    assert_eq!(*body, json!({ "version": 1, "text": TEXT }));
    assert_eq!(headers["authorization"], "Bearer secret");
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(findings.diagnoses[0].code, "M10.9");
    assert_eq!(findings.lab_values[0].flag, Some(Flag::High));
}

#[tokio::test]
async fn a_passing_fault_is_asked_about_again() {
    for fault in [Answer::With(500, "no"), Answer::With(503, ""), Answer::With(429, "{}")] {
        let (findings, asked) = outcome(&[fault.clone(), Answer::With(200, "{}")]).await;

        assert_eq!((findings, asked), (Ok(Findings::default()), 2), "{fault:?}");
    }
}

#[tokio::test]
async fn a_lasting_fault_ends_after_four_tries() {
    let (findings, asked) = outcome(&[Answer::With(500, "no")]).await;

    assert_eq!(findings.unwrap_err().reason(), "analyzer_unavailable");
    assert_eq!(asked, 4);
}

#[tokio::test]
async fn who_cannot_be_reached_or_does_not_answer_is_not_available() {
    let down = analyzer(&nobody()).analyze(TEXT.into()).await;
    let server = AnswersInTurn::start(&[Answer::Late(Duration::from_secs(600))]).await;
    let slow = HttpAnalyzer::new(server.url.parse().unwrap(), None, Duration::from_millis(200))
        .with_first_pause(Duration::from_millis(10));
    let slow = slow.analyze(TEXT.into()).await;

    assert_eq!(down.unwrap_err().reason(), "analyzer_unavailable");
    assert_eq!(slow.unwrap_err().reason(), "analyzer_unavailable");
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test]
async fn what_is_refused_or_no_answer_is_not_asked_about_again() {
    for bad in [
        Answer::With(400, "{}"),
        Answer::With(401, "{}"),
        Answer::With(302, "{}"),
        Answer::With(200, "<html>Please log in</html>"),
        Answer::With(200, "[]"),
        Answer::With(200, r#"{"dates":["yesterday"]}"#),
        Answer::Endless,
    ] {
        let (findings, asked) = outcome(std::slice::from_ref(&bad)).await;

        assert_eq!(findings.unwrap_err().reason(), "analyzer_failed", "{bad:?}");
        assert_eq!(asked, 1, "{bad:?}");
    }
}
