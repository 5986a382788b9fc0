//! What the cache spares the database, counted by the statements that a real PostgreSQL is sent.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Postgres, Redis, RedisRest, Server, Viewer,
    documents::{confirm, fixture},
};

const REQUIREMENTS: &str = "/api/v1/procedures/knee_replacement/requirements";
const CHECKLIST: &str = "/api/v1/cases/c1/checklist";
const HEALTH: &str = "/api/v1/health";
/// Of a case without documents, in which the server itself says nothing.
const CHAT: &str = "/api/v1/cases/c2/chat/stream";
/// Stands once in the statement that reads messages.
const READS_MESSAGES: &str = ") AS newest";
/// The longest there is: while a test looks, a stream reads nothing but what it begins with.
const SELDOM: (&str, &str) = ("STATUS_INTERVAL_MS", "60000");
/// Stands in the look for documents that nobody works on, which comes every few seconds in a transaction of its own.
const TAKES_UP: &str = "WITH ended AS";
/// How long a document may take on a busy machine.
const WITHIN: Duration = Duration::from_secs(60);

/// A server that writes down each statement it is sent, and one database in it.
struct Written {
    server: Postgres,
    url: String,
}

impl Written {
    async fn start() -> Self {
        let server = Postgres::start();
        let url = server.create("tidings").await;
        let database = Self { server, url };
        let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(&database.url).await.unwrap();
        sqlx::query("ALTER DATABASE tidings SET log_statement = 'all'")
            .execute(&mut connection)
            .await
            .unwrap();
        database
    }

    /// Counts the statements that `GET path` leads to: what reads or writes, and all with the transactions around.
    async fn count(&self, server: &Server, path: &str) -> (usize, usize) {
        let before = self.server.log().len();
        let answer = server.get(path).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.json::<Value>().await.unwrap();
        let log = self.server.log();
        let count = |what: &str| log[before..].matches(what).count();
        let queries = count("LOG:  execute ").saturating_sub(count(TAKES_UP));
        (queries, queries + count("LOG:  statement: ").saturating_sub(2 * count(TAKES_UP)))
    }

    /// Counts the reads of messages that a viewer of the chat leads to, and checks what it is told first.
    async fn count_reads_of_the_chat(&self, server: &Server, messages: &[&str]) -> usize {
        let before = self.server.log().len();
        let connected = Viewer::open(server.get(CHAT)).await.until("connected").await.data;
        let told: Vec<_> =
            connected["messages"].as_array().unwrap().iter().map(|message| &message["id"]).collect();
        assert_eq!(told, messages);
        self.server.log()[before..].matches(READS_MESSAGES).count()
    }
}

async fn say(server: &Server, name: &str) {
    let answer = server.post("/api/v1/cases/c2/messages", &json!({ "id": name, "content": "words" })).send();
    assert_eq!(answer.await.unwrap().status(), 201);
}

/// Uploads a document of the case `c1` and waits until the work on it is over, its checklist dropped for the last
/// time. Nobody follows a stream: that would go on asking the database by itself.
async fn upload(server: &Server) {
    let file = fixture("lab_report.pdf");
    let body = json!({
        "patient_id": "p1", "filename": "a.pdf", "content_type": "application/pdf", "size": file.len(),
        "case_id": "c1", "procedure_code": "knee_replacement",
    });
    let answer: Value =
        server.post("/api/v1/uploads/presign", &body).send().await.unwrap().json().await.unwrap();
    server.put(answer["upload_url"].as_str().unwrap(), file).send().await.unwrap();
    confirm(server, answer["document_id"].as_str().unwrap()).await;
    let is_complete = async {
        loop {
            let metrics = server.get("/metrics").send().await.unwrap().text().await.unwrap();
            if metrics.contains("tidings_documents_ended_total{outcome=\"complete\"} 1") {
                return;
            }
        }
    };
    tokio::time::timeout(WITHIN, is_complete).await.expect("the document is read");
}

#[tokio::test]
async fn a_warm_answer_asks_the_database_nothing() {
    let database = Written::start().await;
    let server = Server::start(&[("DATABASE_URL", &database.url), SELDOM]);
    upload(&server).await;

    for path in [REQUIREMENTS, CHECKLIST, HEALTH] {
        let (cold, _) = database.count(&server, path).await;
        let warm = database.count(&server, path).await;

        assert_eq!((cold, warm), (1, (0, 0)), "{path}");
    }
    for (said, messages) in [("m1", &["m1"][..]), ("m2", &["m1", "m2"])] {
        say(&server, said).await;
        let cold = database.count_reads_of_the_chat(&server, messages).await;
        let warm = database.count_reads_of_the_chat(&server, messages).await;

        assert_eq!((cold, warm), (1, 0), "after {said}");
    }
}

#[tokio::test]
async fn what_one_process_has_asked_another_need_not() {
    let database = Written::start().await;
    let redis = Redis::start();
    let front = RedisRest::with_token(&redis, "t");
    let settings = [
        ("DATABASE_URL", &*database.url),
        ("UPSTASH_REDIS_REST_URL", &front.url),
        ("UPSTASH_REDIS_REST_TOKEN", "t"),
        SELDOM,
    ];
    let (first, second) = (Server::start(&settings), Server::start(&settings));
    upload(&first).await;

    // A checklist without what its procedure asks for is two questions.
    for (path, questions) in [(CHECKLIST, 2), (REQUIREMENTS, 0), (HEALTH, 1)] {
        let (cold, _) = database.count(&first, path).await;
        let warm = [database.count(&first, path).await, database.count(&second, path).await];

        assert_eq!((cold, warm), (questions, [(0, 0); 2]), "{path}");
    }
    say(&first, "m1").await;
    let mut reads = Vec::new();
    for server in [&first, &first, &second] {
        reads.push(database.count_reads_of_the_chat(server, &["m1"]).await);
    }
    assert_eq!(reads, [1, 0, 0]);
}
