//! Reads the pages of one file: poppler makes pictures of them, tesseract reads those.

use std::{
    path::PathBuf,
    process::{Output, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{process::Command, time::timeout};

/// How long one program may take for one page.
const PAGE_WITHIN: Duration = Duration::from_secs(60);
/// Most pages of a document: the queue waits fifteen minutes.
const MOST_PAGES: u32 = 300;
/// Longer side of a page's picture, in pixels: an A4 page at 200 dots per inch, whatever the page claims to be.
const SIDE: &str = "2340";

/// Why a document was not read.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The delivery is not the queue's.
    #[error("{0}")]
    Unsigned(String),
    /// Another try may go better.
    #[error("{0}")]
    Later(String),
    /// No other try can go better.
    #[error("{0}")]
    Never(String),
}

/// A file whose pages can be read; its folder goes with it.
pub struct Document {
    folder: TempDir,
    path: PathBuf,
    is_pdf: bool,
    pages: u32,
}

impl Document {
    /// Looks at a file: a PDF, or a picture, which is one page.
    pub async fn open(file: &[u8]) -> Result<Self, Trouble> {
        let is_pdf = match infer::get(file).map(|kind| kind.mime_type()) {
            Some("application/pdf") => true,
            Some("image/png" | "image/jpeg" | "image/tiff") => false,
            _ => return Err(Trouble::Never("the file is neither a PDF nor a PNG, JPEG or TIFF".into())),
        };
        let folder = tempfile::tempdir().map_err(|error| Trouble::Later(error.to_string()))?;
        let path = folder.path().join("file");
        tokio::fs::write(&path, file).await.map_err(|error| Trouble::Later(error.to_string()))?;
        let mut document = Self { folder, path, is_pdf, pages: 1 };
        if is_pdf {
            document.pages = document.count_pages().await?;
        }
        Ok(document)
    }

    pub const fn pages(&self) -> u32 {
        self.pages
    }

    /// Reads one page, counted from 1.
    pub async fn read_page(&self, page: u32, language: &str) -> Result<String, Trouble> {
        let picture = if self.is_pdf { self.draw(page).await? } else { self.path.clone() };
        let mut tesseract = Command::new("tesseract");
        tesseract.arg(&picture).args(["stdout", "-l", language]).env("OMP_THREAD_LIMIT", "1");
        let output = self.run(tesseract, "tesseract").await?;
        Ok(String::from_utf8_lossy(&output.stdout).replace('\u{c}', "").trim_end().to_owned())
    }

    async fn draw(&self, page: u32) -> Result<PathBuf, Trouble> {
        let (picture, number) = (self.folder.path().join("page"), page.to_string());
        let mut pdftoppm = Command::new("pdftoppm");
        pdftoppm.args(["-f", &number, "-l", &number, "-singlefile", "-gray", "-png", "-scale-to", SIDE]);
        pdftoppm.arg(&self.path).arg(&picture);
        self.run(pdftoppm, "pdftoppm").await?;
        Ok(picture.with_extension("png"))
    }

    async fn count_pages(&self) -> Result<u32, Trouble> {
        let mut pdfinfo = Command::new("pdfinfo");
        pdfinfo.arg(&self.path);
        let output = self.run(pdfinfo, "pdfinfo").await?;
        let words = String::from_utf8_lossy(&output.stdout);
        let count = words.lines().find_map(|line| line.strip_prefix("Pages:")?.trim().parse().ok());
        match count {
            Some(pages @ 1..=MOST_PAGES) => Ok(pages),
            Some(0) | None => Err(Trouble::Never("the PDF has no pages".into())),
            Some(pages) => Err(Trouble::Never(format!("the PDF has {pages} pages, more than {MOST_PAGES}"))),
        }
    }

    /// Runs a program to its end; what it says may quote the document and is not passed on.
    async fn run(&self, mut command: Command, name: &str) -> Result<Output, Trouble> {
        command.current_dir(self.folder.path()).stdin(Stdio::null()).kill_on_drop(true);
        let Ok(ended) = timeout(PAGE_WITHIN, command.output()).await else {
            return Err(Trouble::Never(format!("{name} takes longer than {} s", PAGE_WITHIN.as_secs())));
        };
        let output = ended.map_err(|error| Trouble::Later(format!("{name} cannot be started: {error}")))?;
        match output.status.code() {
            Some(0) => Ok(output),
            Some(_) => Err(Trouble::Never(format!("{name} cannot read the file"))),
            // Killed from outside, for memory perhaps: another machine may have more.
            None => Err(Trouble::Later(format!("{name} was ended: {}", output.status))),
        }
    }
}
