//! What was measured, as a table for people and as JSON for programs.

pub mod goals;
mod results;
pub mod table;

use std::{fs, path::Path};

use anyhow::Context;
use serde_json::{Value, json};

pub use goals::goals_of;
pub use results::Results;
pub use table::print;

/// Writes the results of one workload to `folder`.
///
/// # Errors
/// When the folder cannot be written.
pub fn write(results: &Results, machine: &str, folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    let file = folder.join(format!("{}.json", results.workload));
    let text = serde_json::to_string_pretty(&to_json(results, machine))?;
    fs::write(&file, text + "\n").with_context(|| format!("write {}", file.display()))
}

fn to_json(results: &Results, machine: &str) -> Value {
    let goals = goals_of(&results.workload).map(
        |goal| json!({ "figure": goal.figure, "goal": goal.bound.to_string(), "met": goal.is_met(results) }),
    );
    json!({
        "workload": results.workload,
        "machine": machine,
        "runs": results.runs_to_json(),
        "medians": results.medians_to_json(),
        "goals": goals.collect::<Vec<_>>(),
    })
}
