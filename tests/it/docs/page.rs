//! The pages of the documentation, and the blocks of code in them.

use std::path::{Path, PathBuf};

/// One page.
pub struct Page {
    /// Where it is, from the root of the repository.
    pub path: PathBuf,
    pub text: String,
}

/// A fenced block of code.
pub struct Block {
    /// The first word behind the fence: `sh`, `python`, `text`, …
    pub language: String,
    pub duty: Duty,
    pub text: String,
    /// Where it begins, from 1.
    pub line: usize,
}

/// What a test does with a block, by the second word behind the fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// Nothing: it is to be read.
    Read,
    /// `run`: it runs to its end and succeeds.
    Run,
    /// `stays`: it runs in a terminal of its own, until the page is over.
    Stays,
    /// `shows`: these lines have been printed by then, in this order; `…` stands for anything.
    Shows,
}

impl Page {
    pub fn open(path: &str) -> Self {
        let text =
            std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self { path: path.into(), text }
    }

    /// Reads every page there is, without records of decisions, which tell of their day.
    pub fn all() -> Vec<Self> {
        let mut paths: Vec<_> = [
            "README.md",
            "CONTRIBUTING.md",
            "SECURITY.md",
            "CHANGELOG.md",
            "fixtures/README.md",
            "examples/README.md",
        ]
        .map(PathBuf::from)
        .into();
        for folder in ["docs", "docs/deploy"] {
            let entries = std::fs::read_dir(root().join(folder)).unwrap();
            let names = entries.map(|entry| Path::new(folder).join(entry.unwrap().file_name()));
            paths.extend(names.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
        }
        paths.sort();
        paths.iter().map(|path| Self::open(path.to_str().unwrap())).collect()
    }

    pub fn name(&self) -> &str {
        self.path.to_str().unwrap()
    }

    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut open: Option<Block> = None;
        for (number, line) in self.text.lines().enumerate() {
            match (line.strip_prefix("```"), open.take()) {
                (Some(words), None) => open = Some(Block::begin(self, words, number + 1)),
                (Some(_), Some(block)) => blocks.push(block),
                (None, Some(mut block)) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                    open = Some(block);
                }
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{}: a block has no end", self.name());
        blocks
    }

    /// The lines that are no code.
    pub fn prose(&self) -> String {
        let mut is_code = false;
        let mut prose = String::new();
        for line in self.text.lines() {
            if line.starts_with("```") {
                is_code = !is_code;
            } else if !is_code && !line.starts_with("    ") {
                prose.push_str(line);
                prose.push('\n');
            }
        }
        prose
    }
}

impl Block {
    fn begin(page: &Page, words: &str, line: usize) -> Self {
        let (language, duty) = words.split_once(' ').unwrap_or((words, ""));
        let duty = match duty {
            "" => Duty::Read,
            "run" => Duty::Run,
            "stays" => Duty::Stays,
            "shows" => Duty::Shows,
            other => panic!("{}:{line}: a block may run, stay or show, not {other:?}", page.name()),
        };
        Self { language: language.to_owned(), duty, text: String::new(), line }
    }
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
