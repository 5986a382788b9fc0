//! Documents whose texts somebody else analyzes.

use crate::support::{
    Server,
    analyzer::{Answer, AnswersInTurn, ExampleAnalyzer, nobody},
    documents::{confirm, put, read_named},
    program,
    viewer::Message,
};

/// A word of `discharge_summary.pdf` that must not get out.
const OF_THE_TEXT: &str = "metoprolol";

async fn analyzed_by(url: &str) -> (Server, Vec<Message>) {
    let server = Server::start(&[("ANALYZER_URL", url), ("RUST_LOG", "debug")]);
    let document = put(&server, "p1", "discharge_summary.pdf").await;
    confirm(&server, &document).await;
    let seen = read_named(&server, "p1", &document).await;
    (server, seen)
}

fn end(seen: &[Message]) -> (String, String) {
    let update = seen.iter().rfind(|message| message.name == "document_update");
    let update = update.unwrap_or_else(|| panic!("{seen:?}"));
    (update.text("status"), update.data["reason"].as_str().unwrap_or_default().to_owned())
}

async fn analyses(server: &Server, outcome: &str) -> bool {
    let metrics = server.get("/metrics").send().await.unwrap().text().await.unwrap();
    metrics.contains(&format!("tidings_analyses_total{{outcome=\"{outcome}\"}} 1"))
}

#[tokio::test]
async fn the_example_in_python_analyzes_documents() {
    let example = ExampleAnalyzer::start();

    let (server, seen) = analyzed_by(&example.url).await;

    assert_eq!(end(&seen), ("complete".into(), String::new()));
    assert!(analyses(&server, "ok").await);
}

#[tokio::test]
async fn the_analyzer_is_given_the_text_and_no_log_is() {
    let analyzer =
        AnswersInTurn::start(&[Answer::With(200, r#"{"document_type":"discharge_summary"}"#)]).await;

    let (server, seen) = analyzed_by(&analyzer.url).await;

    assert_eq!(end(&seen), ("complete".into(), String::new()));
    let asked = analyzer.asked();
    assert!(asked[0].1["text"].as_str().unwrap().to_lowercase().contains(OF_THE_TEXT), "{asked:?}");
    assert!(!server.log().to_lowercase().contains(OF_THE_TEXT));
}

#[tokio::test]
async fn a_document_ends_with_the_reason_why_nobody_analyzed_it() {
    let refusing = AnswersInTurn::start(&[Answer::With(400, "Metoprolol is no text")]).await;
    for (url, reason, outcome) in [
        (nobody(), "analyzer_unavailable", "unavailable"),
        (refusing.url.clone(), "analyzer_failed", "failed"),
    ] {
        let (server, seen) = analyzed_by(&url).await;

        assert_eq!(end(&seen), ("failed".into(), reason.into()));
        let last = seen.iter().rfind(|message| message.name == "progress").unwrap();
        assert_eq!((last.text("stage"), last.text("status")), ("analysis_started".into(), "failed".into()));
        assert!(analyses(&server, outcome).await);
        assert!(!server.log().to_lowercase().contains(OF_THE_TEXT), "{}", server.log());
    }
}

#[tokio::test]
async fn check_says_who_analyzes() {
    let example = ExampleAnalyzer::start();
    let checked = async |settings: &[(&str, &str)]| {
        let output = program::run(&["check"], settings).await;
        let words = String::from_utf8(output.stdout).unwrap();
        words.lines().find(|line| line.contains("analysis")).unwrap_or_else(|| panic!("{words}")).to_owned()
    };

    assert!(checked(&[]).await.starts_with("ok    analysis: the rules"));
    assert!(checked(&[("ANALYZER_URL", &example.url)]).await.starts_with("ok    analysis: 127.0.0.1"));
    let down = checked(&[("ANALYZER_URL", &nobody())]).await;
    assert!(down.starts_with("FAIL  analysis (ANALYZER_URL)"), "{down}");
    assert!(down.contains("cannot be reached"), "{down}");
}
