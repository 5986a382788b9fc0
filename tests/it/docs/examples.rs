//! The examples, each run from its own header by somebody who has a clone and the real parts.
//!
//! What is indented in a header is run in order: to its end; in a terminal that stays open where the words before it
//! speak of a terminal; and where they speak of what is printed, it is what has to be printed.

use std::{path::Path, process::Command, sync::Once};

use super::{
    page::{Block, Duty, Page, root},
    session::{Session, quiet_port},
};
use crate::support::{Database, PgBouncer, S3, otlp::Collector};

/// Where the headers say that the parts of this machine are.
const POSTGRES: &str = "postgres://tidings@127.0.0.1:5432/tidings";
const BUCKET: &str = "http://127.0.0.1:9000";
const RECEIVER: &str = "http://127.0.0.1:4318";
/// What each is run with beside its own ports.
const OCR_WORKER: &str = "127.0.0.1:8090";
const QUEUE: &str = "127.0.0.1:8081";

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_straight_into_a_bucket() {
    let s3 = S3::start();
    let (example, session) = clone_with("upload.py");
    let mut session = session.with(BUCKET, &s3.url);

    example.run(&mut session);

    let sent = std::fs::read(root().join("fixtures/mri_knee.pdf")).unwrap();
    let [key] = &s3.keys()[..] else { panic!("{:?}", s3.keys()) };
    assert!(key.starts_with("documents/") && s3.object(key) == Some(sent), "{key}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_share_a_database_through_a_pooler() {
    let database = Database::new().await;
    let pooler = PgBouncer::before(&database).await;
    let (example, session) = clone_with("two_servers.py");
    let mut session = session
        .with(&format!("DATABASE_URL={POSTGRES}"), &format!("DATABASE_URL={}", pooler.url(&database)))
        .with(&format!("DATABASE_DIRECT_URL={POSTGRES}"), &format!("DATABASE_DIRECT_URL={}", database.url))
        .with_port_of("127.0.0.1:8090");
    let second = session.here("127.0.0.1:8090").replace("127.0.0.1:", "PORT=");
    session = session.with("PORT=8090", &second);

    example.run(&mut session);

    assert_eq!(database.number("SELECT count(*) FROM documents WHERE status = 'complete'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_s_steps_are_spans_under_the_caller_s() {
    let collector = Collector::start().await;
    let (example, session) = clone_with("traces.py");
    let mut session = session.with(RECEIVER, &collector.url);

    example.run(&mut session);

    let spans = collector.wait_for(3).await;
    let printed = session.text();
    let trace = printed.lines().find_map(|line| line.strip_prefix("trace ")).unwrap();
    for span in spans {
        let id: String = span.trace_id.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(id, trace, "{}", span.name);
    }
}

#[test]
fn a_service_of_one_s_own_tells_of_its_work() {
    build_examples();
    let (example, mut session) = clone_with("embed.rs");

    example.run(&mut session);
}

#[test]
fn a_scan_goes_over_a_queue_to_a_worker() {
    build_examples();
    let (example, session) = clone_with("ocr_worker/main.rs");
    let session = session.with_port_of(OCR_WORKER).with_port_of(QUEUE);
    let listen = session.here(OCR_WORKER).to_owned();
    let mut session = session.with_variable("LISTEN", &listen);

    example.run(&mut session);
}

#[test]
fn the_production_wire_runs_on_a_laptop() {
    build_examples();
    let (example, mut session) = clone_with("demo_upstash.sh");
    for name in ["REDIS_PORT", "REST_PORT", "QUEUE_PORT", "WORKER_PORT"] {
        session = session.with_variable(name, &quiet_port().to_string());
    }

    example.run(&mut session);
}

#[test]
fn every_example_is_in_the_list_of_them() {
    let list = Page::open("examples/README.md").text;
    let mut count = 0;

    for folder in ["examples", "examples/producers"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            if name.contains('.') && name != "README.md" {
                assert!(list.contains(&name), "examples/README.md does not tell of {name}");
                count += 1;
            }
        }
    }

    assert!(count > 8 && list.contains("ocr_worker/main.rs"), "{count}");
}

/// An example, as its header tells of it.
struct Example {
    blocks: Vec<Block>,
}

/// Opens an example for somebody who has a clone of the repository.
fn clone_with(name: &str) -> (Example, Session) {
    let page = Page::open(&format!("examples/{name}"));
    let session = Session::of(&page).in_a_clone();
    // Its server is the one of the page.
    let url = format!("http://{}", session.here("127.0.0.1:8080"));
    (Example { blocks: blocks(&page) }, session.with_variable("TIDINGS_URL", &url))
}

impl Example {
    fn run(&self, session: &mut Session) {
        let duties: Vec<_> = self.blocks.iter().map(|block| block.duty).collect();
        for duty in [Duty::Run, Duty::Stays, Duty::Shows] {
            assert!(duties.contains(&duty), "the header has to say what is printed by what: {duties:?}");
        }
        for block in &self.blocks {
            session.take(block);
        }
    }
}

/// What is indented in a header.
fn blocks(page: &Page) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let (mut duty, mut is_open) = (Duty::Run, false);
    for (number, line) in header(page).into_iter().enumerate() {
        match line.strip_prefix("    ") {
            Some(code) if is_open => blocks.last_mut().unwrap().text += &format!("{code}\n"),
            Some(code) => {
                let (language, line) = ("sh".to_owned(), number + 1);
                blocks.push(Block { language, duty, text: format!("{code}\n"), line });
                is_open = true;
            }
            None => {
                is_open = false;
                // An empty line parts commands of one kind.
                if !line.is_empty() {
                    duty = duty_of(&line);
                }
            }
        }
    }
    blocks
}

fn duty_of(words: &str) -> Duty {
    match words {
        words if words.contains("print") => Duty::Shows,
        words if words.contains("terminal") => Duty::Stays,
        _ => Duty::Run,
    }
}

/// The lines of the comment that an example begins with.
fn header(page: &Page) -> Vec<String> {
    let extension = page.path.extension().and_then(|extension| extension.to_str());
    let mark = match extension {
        Some("py") => {
            let header = page.text.trim_start_matches("\"\"\"").split("\"\"\"").next().unwrap();
            return header.lines().map(str::to_owned).collect();
        }
        Some("rs") => "//!",
        Some("sh") => "#",
        other => panic!("{}: how {other:?} comments is not known", page.name()),
    };
    let lines =
        page.text.lines().skip_while(|line| line.starts_with("#!")).map_while(|line| line.strip_prefix(mark));
    lines.map(|line| line.strip_prefix(' ').unwrap_or(line).to_owned()).collect()
}

/// Builds the examples once: tests that are run alone do not.
fn build_examples() {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        let build = Command::new(env!("CARGO"))
            .args(["build", "--locked", "--quiet", "--examples"])
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
            .status();
        assert!(build.unwrap().success(), "the examples do not build");
    });
}
