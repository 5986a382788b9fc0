//! One suite over the contract: a database passes it unchanged.

use std::time::Duration;

use tidings::{
    documents::{
        Advance, DocumentStatus, DocumentStore, Lease, MOST_CASE_DOCUMENTS, MOST_CASE_FINDINGS, StatusQuery,
        Upload,
        analysis::{DocumentType, Findings},
        ocr::{Delivery, DeliveryOutcome, OcrFailure, OcrResult, Receipt},
    },
    event::Id,
};

fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}

fn upload(document: &str, patient: &str) -> Upload {
    Upload {
        document_id: id(document),
        patient_id: id(patient),
        filename: "Befund (1).pdf".into(),
        content_type: "application/pdf".into(),
        size: 1_234,
        case_id: Some(id("c1")),
        procedure_code: None,
    }
}

async fn confirmed(store: &dyn DocumentStore, document: &str, patient: &str) {
    store.announce(&upload(document, patient)).await.unwrap();
    assert!(store.confirm(&upload(document, patient), &long("w0")).await.unwrap());
}

fn lease(worker: &str, lasts: Duration) -> Lease {
    Lease { worker: id(worker), lasts }
}

/// A lease that does not end in a test.
pub fn long(worker: &str) -> Lease {
    lease(worker, Duration::from_secs(3_600))
}

/// A lease that has ended.
fn over(worker: &str) -> Lease {
    lease(worker, Duration::ZERO)
}

async fn status(store: &dyn DocumentStore, document: &str) -> DocumentStatus {
    store.document(&id(document)).await.unwrap().unwrap().status
}

fn of(patients: &[&str]) -> StatusQuery {
    StatusQuery { patients: patients.iter().map(|patient| id(patient)).collect(), ..StatusQuery::default() }
}

async fn listed(store: &dyn DocumentStore, query: &StatusQuery) -> Vec<String> {
    store.statuses(query).await.unwrap().iter().map(|record| record.document_id.to_string()).collect()
}

/// Runs every rule over one empty store.
pub async fn run_all(store: &dyn DocumentStore) {
    an_upload_is_read_as_it_was_announced(store).await;
    a_document_is_made_once(store).await;
    a_status_only_moves_forward_within_its_attempt(store).await;
    every_move_shows_in_the_time(store).await;
    a_failure_keeps_its_reason(store).await;
    a_patient_sees_own_documents_only(store).await;
    the_newest_50_the_active_and_the_named_are_read(store).await;
    requirements_are_read_by_procedure(store).await;
    the_documents_of_a_case_are_read_newest_first(store).await;
    of_findings_a_case_is_told_type_and_dates(store).await;
    the_findings_of_a_case_are_read_whole(store).await;
    a_case_of_very_many_documents_is_read_in_part(store).await;
    what_moved_lately_is_counted(store).await;
    runs_that_went_well_are_kept_with_their_size(store).await;
    what_is_under_way_is_found_again(store).await;
    of_an_attempt_the_first_result_stands(store).await;
    a_repeated_delivery_is_answered_as_before_and_changes_nothing(store).await;
    deliveries_at_once_are_taken_once(store).await;
    a_delivery_that_comes_too_late_changes_nothing(store).await;
    what_ocr_read_is_dropped_when_the_document_ends(store).await;
    what_somebody_works_on_is_not_taken_up(store).await;
    what_is_left_is_taken_up_once(store).await;
    only_the_holder_renews_and_lets_go(store).await;
    what_is_over_is_not_taken_up(store).await;
    what_ocr_has_rests_until_its_word_comes(store).await;
    only_a_failed_document_is_tried_again_and_once(store).await;
    another_attempt_starts_afresh(store).await;
}

async fn an_upload_is_read_as_it_was_announced(store: &dyn DocumentStore) {
    store.announce(&upload("a1", "pa")).await.unwrap();

    assert_eq!(store.upload(&id("a1")).await.unwrap(), Some(upload("a1", "pa")));
    assert_eq!(store.upload(&id("a2")).await.unwrap(), None);
    assert!(store.document(&id("a1")).await.unwrap().is_none());
}

async fn a_document_is_made_once(store: &dyn DocumentStore) {
    let upload = upload("b1", "pb");
    store.announce(&upload).await.unwrap();

    let made =
        futures::future::join_all((0..8).map(|_| async { store.confirm(&upload, &long("w0")).await })).await;

    assert_eq!(made.into_iter().filter(|made| *made.as_ref().unwrap()).count(), 1);
    assert_eq!(status(store, "b1").await, DocumentStatus::Uploaded);
}

async fn a_status_only_moves_forward_within_its_attempt(store: &dyn DocumentStore) {
    confirmed(store, "c1", "pc").await;
    let document = id("c1");
    let to = |status| Advance::To(status);

    assert!(store.advance(&document, 1, &to(DocumentStatus::Analyzing)).await.unwrap());
    assert!(!store.advance(&document, 1, &to(DocumentStatus::OcrProcessing)).await.unwrap());
    assert!(!store.advance(&document, 1, &to(DocumentStatus::Analyzing)).await.unwrap());
    assert!(!store.advance(&document, 2, &to(DocumentStatus::Analyzed)).await.unwrap());
    assert!(store.advance(&document, 1, &Advance::Analyzed(Box::<Findings>::default())).await.unwrap());
    assert!(store.advance(&document, 1, &Advance::Complete(Vec::new())).await.unwrap());
    assert!(!store.advance(&document, 1, &Advance::Failed("internal")).await.unwrap());

    assert_eq!(status(store, "c1").await, DocumentStatus::Complete);
}

async fn every_move_shows_in_the_time(store: &dyn DocumentStore) {
    confirmed(store, "d1", "pd").await;
    let mut last = 0;
    for status in [DocumentStatus::OcrProcessing, DocumentStatus::OcrComplete, DocumentStatus::Analyzing] {
        store.advance(&id("d1"), 1, &Advance::To(status)).await.unwrap();

        let updated_at = store.document(&id("d1")).await.unwrap().unwrap().updated_at;
        assert!(updated_at > last);
        last = updated_at;
    }
}

async fn a_failure_keeps_its_reason(store: &dyn DocumentStore) {
    confirmed(store, "e1", "pe").await;
    store.advance(&id("e1"), 1, &Advance::Failed("encrypted")).await.unwrap();

    let document = store.document(&id("e1")).await.unwrap().unwrap();

    assert_eq!((document.status, document.reason.as_deref()), (DocumentStatus::Failed, Some("encrypted")));
}

async fn a_patient_sees_own_documents_only(store: &dyn DocumentStore) {
    confirmed(store, "f1", "pf").await;
    confirmed(store, "f2", "pg").await;

    let mut both = listed(store, &of(&["pf", "pg"])).await;
    both.sort();

    assert_eq!(listed(store, &of(&["pf"])).await, ["f1"]);
    assert_eq!(both, ["f1", "f2"]);
    let foreign = StatusQuery { named: vec![id("f2")], ..of(&["pf"]) };
    assert_eq!(listed(store, &foreign).await, ["f1"]);
    assert!(listed(store, &of(&["nobody"])).await.is_empty());
}

async fn the_newest_50_the_active_and_the_named_are_read(store: &dyn DocumentStore) {
    confirmed(store, "active", "ph").await;
    for name in ["named", "old"] {
        confirmed(store, name, "ph").await;
        store.advance(&id(name), 1, &Advance::Failed("internal")).await.unwrap();
    }
    // The store's clock counts milliseconds: what comes later must be newer.
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    for n in 0..50 {
        confirmed(store, &format!("h{n}"), "ph").await;
        store.advance(&id(&format!("h{n}")), 1, &Advance::Failed("internal")).await.unwrap();
    }

    let read = listed(store, &StatusQuery { named: vec![id("named")], ..of(&["ph"]) }).await;

    assert_eq!(read.len(), 52);
    assert!(["active", "named"].iter().all(|name| read.iter().any(|read| read == name)));
    assert!(!read.iter().any(|read| read == "old"));
    let none_active = StatusQuery { active_since: u64::MAX, ..of(&["ph"]) };
    assert_eq!(listed(store, &none_active).await.len(), 50);
}

async fn requirements_are_read_by_procedure(store: &dyn DocumentStore) {
    assert!(store.requirements("knee_replacement").await.unwrap().len() >= 4);
    assert!(store.requirements("unheard_of").await.unwrap().is_empty());
    assert!(store.procedures().await.unwrap().contains(&"knee_replacement".to_owned()));
}

/// Confirms a document of a case, later than all before it.
async fn confirmed_in(store: &dyn DocumentStore, document: &str, case: &str, procedure: Option<&str>) {
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    let upload =
        Upload { case_id: Some(id(case)), procedure_code: procedure.map(id), ..upload(document, "pi") };
    store.announce(&upload).await.unwrap();
    assert!(store.confirm(&upload, &long("wa")).await.unwrap());
}

async fn the_documents_of_a_case_are_read_newest_first(store: &dyn DocumentStore) {
    for (document, case, procedure) in [("i1", "ci", Some("hip")), ("i2", "ci", None), ("i3", "cj", None)] {
        confirmed_in(store, document, case, procedure).await;
    }
    store.advance(&id("i1"), 1, &Advance::Failed("internal")).await.unwrap();

    let documents = store.case_documents(&id("ci")).await.unwrap();

    let read: Vec<_> = documents.iter().map(|read| (read.document_id.as_str(), read.status)).collect();
    assert_eq!(read, [("i2", DocumentStatus::Uploaded), ("i1", DocumentStatus::Failed)]);
    assert_eq!(documents[1].procedure_code, Some(id("hip")));
    assert!(store.case_documents(&id("unheard_of")).await.unwrap().is_empty());
}

async fn of_findings_a_case_is_told_type_and_dates(store: &dyn DocumentStore) {
    confirmed_in(store, "k1", "ck", None).await;
    let mut findings = Findings {
        document_type: DocumentType::LabReport,
        dates: vec!["2024-07-30".into(), "2024-07-01".into()],
        ..Findings::default()
    };
    findings.diagnoses.push(tidings::documents::analysis::Diagnosis {
        code: "M17".into(),
        name: "what \0 a hostile PDF may say".into(),
        is_past: false,
    });
    assert_eq!(store.case_documents(&id("ck")).await.unwrap()[0].findings, None);

    store.advance(&id("k1"), 1, &Advance::Analyzed(Box::new(findings.clone()))).await.unwrap();

    findings.diagnoses.clear();
    assert_eq!(store.case_documents(&id("ck")).await.unwrap()[0].findings, Some(findings));
}

async fn the_findings_of_a_case_are_read_whole(store: &dyn DocumentStore) {
    confirmed_in(store, "kk1", "ckk", None).await;
    confirmed_in(store, "kk2", "ckk", None).await;
    let mut findings = Findings { document_type: DocumentType::LabReport, ..Findings::default() };
    findings.medications.push(tidings::documents::analysis::Medication {
        name: "what \0 a hostile PDF may say".into(),
        ..Default::default()
    });

    store.advance(&id("kk1"), 1, &Advance::Analyzed(Box::new(findings.clone()))).await.unwrap();

    let read = store.case_findings(&id("ckk")).await.unwrap();
    let shown: Vec<_> = read.iter().map(|read| (read.document_id.as_str(), read.status)).collect();
    assert_eq!(shown, [("kk2", DocumentStatus::Uploaded), ("kk1", DocumentStatus::Analyzed)]);
    assert_eq!((&read[1].findings, &read[0].findings), (&Some(findings), &None));
    assert_eq!((read[0].patient_id.as_str(), read[0].filename.as_str()), ("pi", "Befund (1).pdf"));
    assert!(store.case_findings(&id("unheard_of")).await.unwrap().is_empty());
}

async fn a_case_of_very_many_documents_is_read_in_part(store: &dyn DocumentStore) {
    for n in 0..=MOST_CASE_DOCUMENTS {
        let upload = Upload { case_id: Some(id("cl")), ..upload(&format!("l{n}"), "pl") };
        store.announce(&upload).await.unwrap();
        store.confirm(&upload, &long("wa")).await.unwrap();
    }

    let read = store.case_documents(&id("cl")).await.unwrap();
    let with_findings = store.case_findings(&id("cl")).await.unwrap();

    assert_eq!(read.len(), MOST_CASE_DOCUMENTS as usize);
    assert_eq!(with_findings.len(), MOST_CASE_FINDINGS as usize);
}

async fn what_moved_lately_is_counted(store: &dyn DocumentStore) {
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    let since = tidings::clock::Clock::System.milliseconds();
    for document in ["m1", "m2", "m3"] {
        confirmed(store, document, "pm").await;
    }
    let steps = [DocumentStatus::OcrProcessing, DocumentStatus::OcrComplete, DocumentStatus::Analyzing];
    for to in steps.map(Advance::To) {
        store.advance(&id("m1"), 1, &to).await.unwrap();
    }
    store.advance(&id("m1"), 1, &Advance::Analyzed(Box::default())).await.unwrap();
    store.advance(&id("m1"), 1, &Advance::Complete(Vec::new())).await.unwrap();
    store.advance(&id("m2"), 1, &Advance::Failed("encrypted")).await.unwrap();

    let health = store.health(since).await.unwrap();

    assert_eq!((health.documents, health.is_whole), (3, true));
    let by_status = |status: DocumentStatus| health.by_status[status.as_str()];
    let ends = [DocumentStatus::Uploaded, DocumentStatus::Complete, DocumentStatus::Failed].map(by_status);
    assert_eq!((ends, by_status(DocumentStatus::Analyzing)), ([1, 1, 1], 0));
    assert_eq!(health.failures, [("encrypted".to_owned(), 1)].into());
    let stages: Vec<_> = health.durations.iter().map(|(stage, took)| (&**stage, took.documents)).collect();
    assert_eq!(stages, [("analysis", 1), ("matching", 1), ("ocr", 1), ("total", 1)]);
    let none = store.health(u64::MAX).await.unwrap();
    assert_eq!((none.documents, none.durations.len(), none.by_status.len()), (0, 0, 7));
}

/// Ten documents whose reading took 1 to 10 s, and one of a second attempt that was read in the first only.
pub const TIMED: &str = "
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 11)
INSERT INTO documents (document_id, patient_id, filename, content_type, size, status, rank, attempt,
                       created_at, updated_at, reading_at, read_at)
SELECT 'd' || n, 'p', 'a.pdf', 'application/pdf', 1, 'analyzing', 3, CASE WHEN n = 11 THEN 2 ELSE 1 END,
       1, 9000000000000, 1000000, CASE WHEN n = 11 THEN 500 ELSE 1000000 + n * 1000 END
FROM numbers";

/// How long the documents of [`TIMED`] took.
pub async fn durations_are_those_of_whole_documents(store: &dyn DocumentStore) {
    let health = store.health(0).await.unwrap();

    let ocr = health.durations["ocr"];
    assert_eq!((ocr.documents, ocr.median_ms, ocr.p90_ms), (10, 5_000, 9_000));
    assert_eq!(health.durations.len(), 1);
}

async fn runs_that_went_well_are_kept_with_their_size(store: &dyn DocumentStore) {
    for (document, pages, is_scan) in [("n1", 7_001, true), ("n2", 7_002, false), ("n3", 7_003, false)] {
        confirmed(store, document, "pn").await;
        store.advance(&id(document), 1, &Advance::To(DocumentStatus::OcrProcessing)).await.unwrap();
        assert!(store.advance(&id(document), 1, &Advance::Read { pages, is_scan }).await.unwrap());
        store.advance(&id(document), 1, &Advance::To(DocumentStatus::Analyzing)).await.unwrap();
        store.advance(&id(document), 1, &Advance::Analyzed(Box::default())).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    store.advance(&id("n1"), 1, &Advance::Complete(Vec::new())).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    store.advance(&id("n3"), 1, &Advance::Complete(Vec::new())).await.unwrap();
    store.advance(&id("n2"), 1, &Advance::Failed("internal")).await.unwrap();

    let runs = store.past_runs(2).await.unwrap();

    let shown: Vec<_> = runs.iter().map(|run| (run.pages, run.is_scan, run.bytes)).collect();
    assert_eq!(shown, [(7_003, false, 1_234), (7_001, true, 1_234)]);
    for run in runs {
        assert!(run.rest.is_sorted_by(|earlier, later| earlier >= later) && run.rest[3] > 0, "{run:?}");
    }
}

/// Ten documents of 1 to 10 pages with as many seconds to go at each of four stages, one of which no times are
/// known, and one that somebody wrote who counts backwards.
pub const RUNS: &str = "
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 12)
INSERT INTO documents (document_id, patient_id, filename, content_type, size, status, rank, attempt, created_at,
                       updated_at, reading_at, read_at, analyzing_at, analyzed_at, pages, is_scan)
SELECT 'd' || n, 'p', 'a.pdf', 'application/pdf', 1, 'complete', 10, 1, 1, 1000000 + n,
       CASE WHEN n <> 11 THEN 1000000 + n - n * 4000 END, 1000000 + n - n * 3000,
       1000000 + n - n * 2000, 1000000 + n - n * CASE WHEN n = 12 THEN -1000 ELSE 1000 END, n, n = 1
FROM numbers";

/// What is read of [`RUNS`].
pub async fn runs_are_those_whose_times_are_known(store: &dyn DocumentStore) {
    let runs = store.past_runs(100).await.unwrap();

    assert_eq!(runs.iter().map(|run| run.pages).collect::<Vec<_>>(), [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(runs[0].rest, [40_000, 30_000, 20_000, 10_000]);
    assert!(runs[9].is_scan && !runs[0].is_scan);
}

async fn what_is_under_way_is_found_again(store: &dyn DocumentStore) {
    confirmed(store, "z1", "pz").await;
    confirmed(store, "z2", "pz").await;
    store.advance(&id("z2"), 1, &Advance::Complete(Vec::new())).await.unwrap();

    let found = store.unfinished().await.unwrap();

    let found: Vec<_> = found.iter().filter(|(upload, _)| upload.patient_id == id("pz")).collect();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, upload("z1", "pz"));
    assert_eq!(found[0].1.attempt, 1);
}

fn text(text: &str) -> OcrResult {
    OcrResult::Text { text: text.into(), pages: 2 }
}

fn delivery(name: &str, document: &str, result: Option<OcrResult>) -> Delivery {
    Delivery { id: name.into(), document_id: id(document), attempt: 1, result }
}

async fn told(store: &dyn DocumentStore, delivery: &Delivery) -> (DeliveryOutcome, bool) {
    let Receipt { outcome, is_repeat } = store.record_delivery(delivery, &long("w0")).await.unwrap();
    (outcome, is_repeat)
}

async fn kept(store: &dyn DocumentStore, document: &str) -> Option<OcrResult> {
    store.ocr_result(&id(document), 1).await.unwrap()
}

async fn of_an_attempt_the_first_result_stands(store: &dyn DocumentStore) {
    confirmed(store, "o1", "po").await;
    store.advance(&id("o1"), 1, &Advance::To(DocumentStatus::OcrProcessing)).await.unwrap();
    let failed = Some(OcrResult::Failed(OcrFailure::Unavailable));

    assert_eq!(kept(store, "o1").await, None);
    assert_eq!(told(store, &delivery("o1.a", "o1", None)).await, (DeliveryOutcome::Noted, false));
    assert_eq!(
        told(store, &delivery("o1.b", "o1", Some(text("ä\n")))).await,
        (DeliveryOutcome::Taken, false)
    );
    assert_eq!(told(store, &delivery("o1.c", "o1", failed.clone())).await, (DeliveryOutcome::TooLate, false));
    assert_eq!(kept(store, "o1").await, Some(text("ä\n")));

    confirmed(store, "o2", "po").await;
    assert_eq!(told(store, &delivery("o2.a", "o2", failed.clone())).await, (DeliveryOutcome::Taken, false));
    assert_eq!(
        told(store, &delivery("o2.b", "o2", Some(text("x")))).await,
        (DeliveryOutcome::TooLate, false)
    );
    assert_eq!(kept(store, "o2").await, failed);
}

async fn a_repeated_delivery_is_answered_as_before_and_changes_nothing(store: &dyn DocumentStore) {
    confirmed(store, "q1", "pq").await;
    let noted = delivery("q1.a", "q1", None);
    let taken = delivery("q1.b", "q1", Some(text("first")));
    let late = delivery("q1.c", "q1", Some(text("second")));
    for delivery in [&noted, &taken, &late] {
        told(store, delivery).await;
    }

    assert_eq!(told(store, &noted).await, (DeliveryOutcome::Noted, true));
    assert_eq!(told(store, &taken).await, (DeliveryOutcome::Taken, true));
    assert_eq!(told(store, &late).await, (DeliveryOutcome::TooLate, true));
    assert_eq!(kept(store, "q1").await, Some(text("first")));
}

async fn deliveries_at_once_are_taken_once(store: &dyn DocumentStore) {
    confirmed(store, "r1", "pr").await;
    let same = delivery("r1.a", "r1", Some(text("one")));
    let others = ["r1.b", "r1.c"].map(|name| delivery(name, "r1", Some(text("other"))));

    let told =
        futures::future::join_all([&same, &same, &same, &others[0], &others[1]].map(|d| told(store, d)));
    let told = told.await;

    let fresh = |outcome| told.iter().filter(|told| **told == (outcome, false)).count();
    assert_eq!((fresh(DeliveryOutcome::Taken), fresh(DeliveryOutcome::TooLate)), (1, 2), "{told:?}");
    assert_eq!(told.iter().filter(|(_, is_repeat)| *is_repeat).count(), 2, "{told:?}");
}

async fn a_delivery_that_comes_too_late_changes_nothing(store: &dyn DocumentStore) {
    confirmed(store, "s1", "ps").await;
    confirmed(store, "s2", "ps").await;
    store.advance(&id("s1"), 1, &Advance::To(DocumentStatus::OcrComplete)).await.unwrap();
    let other_attempt = Delivery { attempt: 2, ..delivery("s2.a", "s2", Some(text("x"))) };

    assert_eq!(told(store, &delivery("s1.a", "s1", Some(text("x")))).await.0, DeliveryOutcome::TooLate);
    assert_eq!(told(store, &other_attempt).await.0, DeliveryOutcome::TooLate);
    assert_eq!(told(store, &delivery("s3.a", "nobody-s", None)).await, (DeliveryOutcome::Unknown, false));
    assert_eq!(told(store, &delivery("s3.a", "nobody-s", None)).await, (DeliveryOutcome::Unknown, false));
    assert_eq!((kept(store, "s1").await, kept(store, "s2").await), (None, None));
}

async fn what_ocr_read_is_dropped_when_the_document_ends(store: &dyn DocumentStore) {
    for (document, end) in [("t1", Advance::Complete(Vec::new())), ("t2", Advance::Failed("internal"))] {
        confirmed(store, document, "pt").await;
        told(store, &delivery(&format!("{document}.a"), document, Some(text("x")))).await;

        store.advance(&id(document), 2, &end).await.unwrap();
        assert!(kept(store, document).await.is_some(), "another attempt's end is not its own");
        store.advance(&id(document), 1, &end).await.unwrap();

        assert_eq!(kept(store, document).await, None);
        let late = delivery(&format!("{document}.b"), document, Some(text("x")));
        assert_eq!(told(store, &late).await.0, DeliveryOutcome::TooLate);
    }
}

/// Takes up all that is left; gives those of `documents`, and who had them with which attempt.
async fn taken_up(store: &dyn DocumentStore, lease: &Lease, documents: &[&str]) -> Vec<String> {
    let taken = store.take_up(lease, 1_000).await.unwrap();
    let taken = taken.iter().map(|(upload, _)| upload.document_id.to_string());
    let mut taken: Vec<_> = taken.filter(|document| documents.contains(&document.as_str())).collect();
    taken.sort();
    taken
}

async fn leased(store: &dyn DocumentStore, document: &str, lease: &Lease) {
    store.announce(&upload(document, "pu")).await.unwrap();
    assert!(store.confirm(&upload(document, "pu"), lease).await.unwrap());
}

async fn what_somebody_works_on_is_not_taken_up(store: &dyn DocumentStore) {
    leased(store, "u1", &long("wa")).await;
    leased(store, "u2", &over("wa")).await;

    let taken = store.take_up(&long("wb"), 1_000).await.unwrap();

    let (taken, record) = taken.iter().find(|(taken, _)| taken.patient_id == id("pu")).unwrap();
    assert_eq!(*taken, upload("u2", "pu"));
    assert_eq!((record.status, record.attempt), (DocumentStatus::Uploaded, 1));
    assert!(taken_up(store, &long("wc"), &["u1", "u2"]).await.is_empty(), "now wb works on it");
}

async fn what_is_left_is_taken_up_once(store: &dyn DocumentStore) {
    let names: Vec<_> = (0..12).map(|n| format!("v{n}")).collect();
    for name in &names {
        leased(store, name, &over("wa")).await;
    }
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let first = store.take_up(&long("wb"), 3).await.unwrap();
    assert_eq!(first.len(), 3, "no more than was asked for");

    let workers = ["wc", "wd", "we", "wf"].map(long);
    let taken = futures::future::join_all(workers.iter().map(|lease| taken_up(store, lease, &names))).await;

    let first = first.iter().map(|(upload, _)| upload.document_id.to_string());
    let mut all: Vec<_> = taken.into_iter().flatten().chain(first).collect();
    all.sort();
    let mut names: Vec<_> = names.into_iter().map(str::to_owned).collect();
    names.sort();
    assert_eq!(all, names, "each of them by one");
}

async fn only_the_holder_renews_and_lets_go(store: &dyn DocumentStore) {
    for document in ["w1", "w2", "w3"] {
        leased(store, document, &over("wa")).await;
    }

    store.renew(&["w1", "w2"].map(id), &long("wa")).await.unwrap();
    store.renew(&[id("w3")], &long("wb")).await.unwrap();
    assert_eq!(taken_up(store, &long("wb"), &["w1", "w2", "w3"]).await, ["w3"]);
    store.release(&id("wa")).await.unwrap();
    store.renew(&["w1", "w2"].map(id), &long("wa")).await.unwrap();

    assert_eq!(taken_up(store, &long("wc"), &["w1", "w2", "w3"]).await, ["w1", "w2"]);
}

async fn what_is_over_is_not_taken_up(store: &dyn DocumentStore) {
    for (document, end) in [("x1", Advance::Complete(Vec::new())), ("x2", Advance::Failed("internal"))] {
        leased(store, document, &over("wa")).await;
        store.advance(&id(document), 1, &end).await.unwrap();
    }

    assert!(taken_up(store, &long("wb"), &["x1", "x2"]).await.is_empty());
}

async fn what_ocr_has_rests_until_its_word_comes(store: &dyn DocumentStore) {
    for document in ["y1", "y2", "y3", "y4"] {
        leased(store, document, &over("wa")).await;
        store.advance(&id(document), 1, &Advance::To(DocumentStatus::OcrProcessing)).await.unwrap();
    }
    let word = |document: &str| delivery(&format!("{document}.a"), document, Some(text("x")));

    // y1 waits for its word; the word on y2 came to another process before; y3 was never ours.
    store.rest(&id("y1"), 1, &long("wa")).await.unwrap();
    store.record_delivery(&word("y2"), &over("wb")).await.unwrap();
    store.rest(&id("y2"), 1, &long("wb")).await.unwrap();
    store.rest(&id("y3"), 1, &long("wb")).await.unwrap();
    store.rest(&id("y4"), 2, &long("wa")).await.unwrap();
    assert_eq!(taken_up(store, &long("wc"), &["y1", "y2", "y3", "y4"]).await, ["y2", "y3", "y4"]);

    store.release(&id("wa")).await.unwrap();
    store.renew(&[id("y1")], &over("wa")).await.unwrap();
    assert!(taken_up(store, &long("wc"), &["y1"]).await.is_empty(), "it rests, whoever ends");
    store.record_delivery(&word("y1"), &over("wb")).await.unwrap();
    assert_eq!(taken_up(store, &long("wc"), &["y1"]).await, ["y1"], "wb took it, and ended");
}

async fn only_a_failed_document_is_tried_again_and_once(store: &dyn DocumentStore) {
    confirmed(store, "ra1", "pra").await;
    confirmed(store, "ra2", "pra").await;
    let retry = async |document: &str| store.retry(&id(document), &long("w0")).await.unwrap();

    assert_eq!(retry("nobody-s").await, None);
    assert_eq!(retry("ra1").await, None, "it is under way");
    store.advance(&id("ra1"), 1, &Advance::Complete(Vec::new())).await.unwrap();
    assert_eq!(retry("ra1").await, None, "it went well");
    store.advance(&id("ra2"), 1, &Advance::Failed("encrypted")).await.unwrap();
    let retried = futures::future::join_all((0..8).map(|_| retry("ra2"))).await;

    let mut attempts: Vec<_> = retried.into_iter().flatten().collect();
    assert_eq!(attempts.pop(), Some(2));
    assert!(attempts.is_empty());
}

async fn another_attempt_starts_afresh(store: &dyn DocumentStore) {
    confirmed(store, "rb1", "prb").await;
    store.advance(&id("rb1"), 1, &Advance::To(DocumentStatus::OcrProcessing)).await.unwrap();
    store.advance(&id("rb1"), 1, &Advance::Failed("ocr_failed")).await.unwrap();
    let failed = store.document(&id("rb1")).await.unwrap().unwrap();

    store.retry(&id("rb1"), &over("wa")).await.unwrap();

    let retried = store.document(&id("rb1")).await.unwrap().unwrap();
    assert_eq!((retried.status, retried.reason, retried.attempt), (DocumentStatus::Uploaded, None, 2));
    assert!(retried.updated_at > failed.updated_at);
    assert!(!store.advance(&id("rb1"), 1, &Advance::Failed("internal")).await.unwrap(), "a straggler");
    let late = delivery("rb1.a", "rb1", Some(text("x")));
    assert_eq!(told(store, &late).await.0, DeliveryOutcome::TooLate);
    assert_eq!(taken_up(store, &long("wb"), &["rb1"]).await, ["rb1"]);
}
