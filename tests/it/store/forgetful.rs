//! What stands before a store: each write that shows in a checklist drops it, whoever made it.

use std::sync::Arc;

use tidings::{
    cache::{Cache, CacheSettings},
    clock::Clock,
    documents::{
        Advance, Checklist, DocumentState, DocumentStatus, DocumentStore, ForgetfulStore, Lookups,
        SqliteStore, Upload, analysis::Findings,
    },
    event::Id,
};

use super::suite::long;

fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}

/// A store, what drops before it, and what reads through the cache.
struct Parts {
    store: SqliteStore,
    forgetful: ForgetfulStore,
    lookups: Lookups,
    _folder: tempfile::TempDir,
}

impl Parts {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/t.db", folder.path().display());
        let store = SqliteStore::open(&url, Clock::System).await.unwrap();
        store.migrate().await.unwrap();
        let cache = Cache::in_memory(Arc::default(), CacheSettings::default());
        let inner = Arc::new(store.clone());
        let lookups =
            Lookups::new(Arc::clone(&inner) as Arc<dyn DocumentStore>, cache.clone(), Clock::System);
        Self { store, forgetful: ForgetfulStore::before(inner, cache), lookups, _folder: folder }
    }

    /// Confirms a document of the case `c1` past the cache.
    async fn confirmed(&self, document: &str) -> Upload {
        let upload = Upload {
            document_id: id(document),
            patient_id: id("p1"),
            filename: "a.pdf".into(),
            content_type: "application/pdf".into(),
            size: 1,
            case_id: Some(id("c1")),
            procedure_code: Some(id("knee_replacement")),
        };
        self.store.announce(&upload).await.unwrap();
        self.store.confirm(&upload, &long("wa")).await.unwrap();
        upload
    }

    async fn checklist(&self) -> Checklist {
        self.lookups.checklist(&id("c1")).await.unwrap().unwrap()
    }

    async fn state(&self) -> DocumentState {
        self.checklist().await.documents[0].state
    }
}

#[tokio::test]
async fn every_step_that_shows_drops_the_checklist() {
    for (to, shown) in [
        (Advance::Analyzed(Box::<Findings>::default()), DocumentState::Read),
        (Advance::Complete(Vec::new()), DocumentState::Read),
        (Advance::Failed("internal"), DocumentState::Failed),
    ] {
        let parts = Parts::open().await;
        parts.confirmed("d1").await;
        assert_eq!(parts.state().await, DocumentState::UnderWay);

        assert!(parts.forgetful.advance(&id("d1"), 1, &to).await.unwrap());

        assert_eq!(parts.state().await, shown, "{to:?}");
    }
}

#[tokio::test]
async fn a_step_that_does_not_show_keeps_the_checklist() {
    let parts = Parts::open().await;
    parts.confirmed("d1").await;
    let before = parts.checklist().await;
    parts.store.advance(&id("d1"), 1, &Advance::Failed("internal")).await.unwrap();

    let to = Advance::To(DocumentStatus::Analyzing);
    assert!(!parts.forgetful.advance(&id("d1"), 1, &to).await.unwrap());

    assert_eq!(parts.checklist().await, before, "kept, although the table was written past the cache");
}

#[tokio::test]
async fn a_write_that_finds_itself_done_drops_all_the_same() {
    let parts = Parts::open().await;
    parts.confirmed("d1").await;
    parts.checklist().await;

    // As after an answer that was lost: the first try is in the table, the second changes nothing.
    let second = parts.confirmed("d2").await;
    assert!(!parts.forgetful.confirm(&second, &long("wa")).await.unwrap());
    assert_eq!(parts.checklist().await.documents.len(), 2);
    parts.store.advance(&id("d2"), 1, &Advance::Failed("internal")).await.unwrap();
    assert!(!parts.forgetful.advance(&id("d2"), 1, &Advance::Failed("internal")).await.unwrap());

    let failed =
        parts.checklist().await.documents.into_iter().find(|document| document.document_id == id("d2"));
    assert_eq!(failed.unwrap().state, DocumentState::Failed);
}

#[tokio::test]
async fn a_write_that_failed_drops_all_the_same() {
    let parts = Parts::open().await;
    let upload = parts.confirmed("d1").await;
    assert!(!parts.forgetful.confirm(&upload, &long("wa")).await.unwrap(), "its case is known from here on");
    parts.checklist().await;
    parts.store.close().await;

    assert!(parts.forgetful.advance(&id("d1"), 1, &Advance::Failed("internal")).await.is_err());

    assert!(parts.lookups.checklist(&id("c1")).await.is_err(), "nothing is kept that may be wrong");
}

#[tokio::test]
async fn a_look_into_the_cache_is_small() {
    let parts = Parts::open().await;
    let case = id("c1");

    // A future of 111 KB overflowed the stack of a thread, and every request would hold one.
    let checklist = std::mem::size_of_val(&parts.lookups.checklist(&case));

    assert!(checklist < 8 * 1_024, "{checklist} bytes");
}
