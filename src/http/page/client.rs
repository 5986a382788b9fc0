//! `/tidings.js`: the parts in `tidings/`, put together into one module.
//!
//! The parts are modules of their own for whoever works on them: a noun each, checked and tested one by
//! one. A page loads one file, small enough to be no matter: imports and comments stay behind, and the
//! words are in `/tidings.d.ts`.

use std::sync::LazyLock;

/// Each part stands behind those it needs.
const PARTS: [&str; 10] = [
    include_str!("tidings/problem.js"),
    include_str!("tidings/token.js"),
    include_str!("tidings/connection.js"),
    include_str!("tidings/cursor.js"),
    include_str!("tidings/history.js"),
    include_str!("tidings/lifecycle.js"),
    include_str!("tidings/seen.js"),
    include_str!("tidings/tabs.js"),
    include_str!("tidings/stream.js"),
    include_str!("tidings/follow.js"),
];
const HEAD: &str = "// Follows work in progress over Server-Sent Events. Types and words: /tidings.d.ts\n";
const EXPORTS: &str = "export { followChat, followDocuments, followStream, readProblem };\n";

/// What the module offers, for people and for TypeScript.
pub(super) const TYPES: &str = include_str!("tidings.d.ts");

/// The module as pages load it.
pub(super) static MODULE: LazyLock<String> = LazyLock::new(|| {
    let mut module = String::from(HEAD);
    for part in PARTS {
        module.extend(code_lines(part).flat_map(|line| [line, "\n"]));
    }
    module + EXPORTS
});

/// The lines of a part that are code and its own.
fn code_lines(part: &str) -> impl Iterator<Item = &str> {
    let mut in_comment = false;
    part.lines().filter_map(move |line| {
        let text = line.trim_start();
        let is_comment = in_comment || text.starts_with("/**") || text.starts_with("//");
        in_comment = (in_comment || text.starts_with("/**")) && !text.ends_with("*/");
        let is_between_parts = text.starts_with("import ") || text.starts_with("export {");
        let is_code = !text.is_empty() && !is_comment && !is_between_parts;
        is_code.then(|| line.strip_prefix("export ").unwrap_or(line))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use regex::Regex;

    use super::*;

    /// Names at the top of a part.
    fn names(part: &str) -> Vec<String> {
        let names = Regex::new(r"(?m)^(?:async )?(?:const|let|function|class) (\w+)").unwrap();
        let code = code_lines(part).collect::<Vec<_>>().join("\n");
        names.captures_iter(&code).map(|found| found[1].to_owned()).collect()
    }

    #[test]
    fn no_two_parts_have_a_name_in_common() {
        let mut seen = BTreeSet::new();

        for name in PARTS.iter().flat_map(|part| names(part)) {
            assert!(seen.insert(name.clone()), "{name} is there twice");
        }
        assert!(seen.contains("Stream") && seen.contains("askWhy") && seen.contains("BEATS"), "{seen:?}");
    }

    #[test]
    fn comments_and_what_joins_the_parts_stay_behind() {
        let part = "// A note.\nimport { a } from './a.js';\n\n/**\n * Words.\n */\nexport class B {\n  /** More. */\n  c = '//';\n}\n";

        assert_eq!(code_lines(part).collect::<Vec<_>>(), ["class B {", "  c = '//';", "}"]);
    }
}
