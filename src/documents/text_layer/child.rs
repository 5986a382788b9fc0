//! Owns the child's side of reading a text layer: it limits itself, then parses.

use std::fmt;
use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use pdf_extract::{ConvertToFmt, Document, Error, PlainTextOutput, output_doc_page};
use rlimit::Resource;

use super::{CHILD_COMMAND, MAX_TEXT_BYTES, Refusal, Reply, TextLayer};

const MAX_PDF_BYTES: u64 = 25 * 1024 * 1024;
const MAX_PAGES: usize = 2_000;
const STACK_BYTES: usize = 64 * 1024 * 1024;
// The core and file limits keep a crash from leaving a patient's document on disk.
const LIMITS: [(Resource, u64); 4] =
    [(Resource::AS, 768 * 1024 * 1024), (Resource::CPU, 20), (Resource::CORE, 0), (Resource::FSIZE, 0)];

/// Does the work of a child where this process was started as one: to read an uploaded PDF, a hostile file, under hard
/// limits of memory and time. Then `main` has to end with the exit code; else there is none and nothing was done.
///
/// Call it at the head of `main`, before any runtime or logger is set up, in every program that
/// [`ServerConfig::text_layer_program`](crate::config::ServerConfig::text_layer_program) names.
#[must_use]
pub fn answer_as_child() -> Option<ExitCode> {
    let is_child = std::env::args_os().nth(1).is_some_and(|word| word == CHILD_COMMAND);
    is_child.then(run)
}

/// Reads a PDF from stdin and writes one JSON object to stdout. The exit code tells only whether the
/// limits held and the reply was written; refusals are part of the reply.
fn run() -> ExitCode {
    match limit_self().and_then(|()| answer()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn limit_self() -> io::Result<()> {
    for (resource, most) in LIMITS {
        // Raising a hard limit that is lower already would need privileges.
        let most = most.min(resource.get_hard()?);
        resource.set(most, most)?;
    }
    Ok(())
}

fn answer() -> io::Result<()> {
    // A panic message may quote the document.
    std::panic::set_hook(Box::new(|_| {}));
    let mut pdf = Vec::new();
    let mut input = io::stdin().lock().take(MAX_PDF_BYTES + 1);
    input.read_to_end(&mut pdf)?;
    let reply = match extract_on_deep_stack(pdf)? {
        Ok(layer) => Reply::Read(layer),
        Err(error) => Reply::Refused { error },
    };
    let mut output = io::stdout().lock();
    output.write_all(&serde_json::to_vec(&reply)?)?;
    output.flush()
}

// The parser recurses on nested objects; a stack of known size keeps the outcome the same
// wherever the service runs.
fn extract_on_deep_stack(pdf: Vec<u8>) -> io::Result<Result<TextLayer, Refusal>> {
    let work = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || extract(&pdf))?;
    Ok(work.join().unwrap_or(Err(Refusal::Unreadable)))
}

fn extract(pdf: &[u8]) -> Result<TextLayer, Refusal> {
    if pdf.len() as u64 > MAX_PDF_BYTES {
        return Err(Refusal::TooLarge);
    }
    let document = open(pdf)?;
    let pages = document.get_pages();
    match declared_pages(&document) {
        Some(0) if pages.is_empty() => return Err(Refusal::NoPages),
        Some(declared) if declared <= pages.len() as i64 && !pages.is_empty() => {}
        _ => return Err(Refusal::Unreadable),
    }
    let mut text = CappedText::default();
    for number in pages.keys().take(MAX_PAGES) {
        read_page(&document, *number, &mut text)?;
        if text.full {
            break;
        }
    }
    Ok(TextLayer { pages: u32::try_from(pages.len()).unwrap_or(u32::MAX), text: tidy(&text.text) })
}

fn open(pdf: &[u8]) -> Result<Document, Refusal> {
    match Document::load_mem(pdf) {
        Ok(document) if document.is_encrypted() => Err(Refusal::Encrypted),
        Ok(document) => Ok(document),
        Err(Error::Decryption(_) | Error::InvalidPassword) => Err(Refusal::Encrypted),
        Err(_) => Err(Refusal::Unreadable),
    }
}

// The parser drops pages that it cannot find; the declared count gives them away.
fn declared_pages(document: &Document) -> Option<i64> {
    let root = document.catalog().ok()?.get(b"Pages").ok()?.as_reference().ok()?;
    document.get_dictionary(root).ok()?.get_deref(b"Count", document).ok()?.as_i64().ok()
}

// Part of a medical document must not pass for the whole, so a page that neither way of
// reading understands refuses the document.
fn read_page(document: &Document, page: u32, text: &mut CappedText) -> Result<(), Refusal> {
    let start = text.text.len();
    let laid_out = catch_unwind(AssertUnwindSafe(|| {
        output_doc_page(document, &mut PlainTextOutput::new(&mut *text), page)
    }));
    if !matches!(laid_out, Ok(Ok(()))) && !text.full {
        text.text.truncate(start);
        text.push(&read_plainly(document, page).ok_or(Refusal::Unreadable)?);
    }
    text.push("\n\n");
    Ok(())
}

// Knows no layout, but tolerates fonts on which the reading by layout gives up.
fn read_plainly(document: &Document, page: u32) -> Option<String> {
    let plain = catch_unwind(AssertUnwindSafe(|| document.extract_text(&[page])));
    plain.ok()?.ok().filter(|text| text.contains(|c: char| !c.is_whitespace()))
}

#[derive(Default)]
struct CappedText {
    text: String,
    full: bool,
}

impl CappedText {
    fn push(&mut self, piece: &str) {
        let room = MAX_TEXT_BYTES - self.text.len();
        self.full |= piece.len() > room;
        self.text.push_str(&piece[..piece.floor_char_boundary(room)]);
    }
}

impl fmt::Write for CappedText {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        self.push(piece);
        if self.full { Err(fmt::Error) } else { Ok(()) }
    }
}

impl ConvertToFmt for &mut CappedText {
    type Writer = Self;

    fn convert(self) -> Self::Writer {
        self
    }
}

// Spells ligatures out, so that "ﬁbrosis" is found as "fibrosis", and keeps at most one
// blank line in a row.
fn tidy(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    for line in raw.lines() {
        let line = line.trim_end();
        if !line.is_empty() {
            line.chars().for_each(|c| push_plain(&mut text, c));
            text.push('\n');
        } else if !text.is_empty() && !text.ends_with("\n\n") {
            text.push('\n');
        }
    }
    text.truncate(text.trim_end().len());
    text
}

fn push_plain(text: &mut String, c: char) {
    match c {
        'ﬀ' => text.push_str("ff"),
        'ﬁ' => text.push_str("fi"),
        'ﬂ' => text.push_str("fl"),
        'ﬃ' => text.push_str("ffi"),
        'ﬄ' => text.push_str("ffl"),
        'ﬅ' | 'ﬆ' => text.push_str("st"),
        '\t' | '\u{a0}' => text.push(' '),
        c if c.is_control() => {}
        c => text.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! fixture {
        ($name:literal) => {
            include_bytes!(concat!("../../../fixtures/", $name, ".pdf"))
        };
    }

    #[test]
    fn keeps_a_table_row_on_one_line() {
        let layer = extract(fixture!("lab_report")).unwrap();
        assert_eq!(layer.pages, 1);
        assert!(layer.text.contains("\nHemoglobin 11.2 g/dL 13.0 - 17.0 L\n"));
    }

    #[test]
    fn reads_object_streams_fonts_and_owner_locks() {
        let summary = extract(fixture!("discharge_summary")).unwrap();
        assert_eq!(summary.pages, 3);
        assert!(summary.text.contains("No history of diabetes."));
        let names = extract(fixture!("unicode_names")).unwrap().text;
        assert!(names.contains("Zoë Müller-Łukasiewicz"));
        assert!(names.contains("pulmonary fibrosis, atrial fibrillation, influenza A"));
        let locked = extract(fixture!("owner_locked")).unwrap();
        assert!(locked.text.contains("Salbutamol 100 mcg"));
    }

    #[test]
    fn gives_empty_text_for_pictures() {
        let layer = extract(fixture!("scanned_no_text")).unwrap();
        assert_eq!((layer.pages, layer.text.as_str()), (1, ""));
    }

    #[test]
    fn refuses_what_it_cannot_read() {
        let refusal = |pdf: &[u8]| extract(pdf).unwrap_err();
        assert_eq!(refusal(fixture!("encrypted")), Refusal::Encrypted);
        assert_eq!(refusal(fixture!("truncated")), Refusal::Unreadable);
        assert_eq!(refusal(fixture!("not_a_pdf")), Refusal::Unreadable);
        assert_eq!(refusal(fixture!("zero_pages")), Refusal::NoPages);
        assert_eq!(refusal(b""), Refusal::Unreadable);
    }

    #[test]
    fn caps_the_text_at_a_char_boundary() {
        let mut text = CappedText::default();
        text.push(&"x".repeat(MAX_TEXT_BYTES - 1));
        assert!(!text.full);
        text.push("é");
        assert!(text.full);
        assert_eq!(text.text.len(), MAX_TEXT_BYTES - 1);
    }
}
