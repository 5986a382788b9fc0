//! Code that no test runs is at least code.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use super::page::{Block, Page};

#[test]
fn every_block_of_code_can_be_read_by_its_language() {
    let mut count = 0;
    for page in Page::all() {
        for block in page.blocks() {
            if let Err(complaint) = read(&block) {
                panic!("{}:{}: {complaint}", page.name(), block.line);
            }
            count += usize::from(matches!(block.language.as_str(), "python" | "js" | "json"));
        }
    }

    assert!(count > 10, "code is found: {count}");
    for (language, text) in [("python", "def f(:\n"), ("js", "const = 1;\n"), ("json", "{\"a\": }\n")] {
        let wrong =
            Block { language: language.into(), duty: super::page::Duty::Read, text: text.into(), line: 1 };
        assert!(read(&wrong).is_err(), "{language}");
    }
}

fn read(block: &Block) -> Result<(), String> {
    match block.language.as_str() {
        "json" => {
            serde_json::from_str::<serde_json::Value>(&block.text).map(drop).map_err(|it| it.to_string())
        }
        "python" => judge("python3", &["-c", "import ast, sys; ast.parse(sys.stdin.read())"], &block.text),
        // What draws with tags is not JavaScript before it is built.
        "js" if block.text.contains("/>") => Ok(()),
        "js" => judge("node", &["--input-type=module", "--check", "-"], &block.text),
        _ => Ok(()),
    }
}

fn judge(program: &str, arguments: &[&str], text: &str) -> Result<(), String> {
    let mut process = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} cannot be started ({error}): make setup"));
    process.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}
