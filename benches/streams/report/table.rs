//! The table on standard output: Markdown, so that it can go into a page as it is.

use super::{super::contestant::Contestant, goals::goals_of, results::Results};

/// How busy others may have been, in cores, before a run is doubted.
const NOISY: f64 = 0.2;

/// Prints medians, ratios and goals of one workload.
pub fn print(results: &Results) {
    println!("\n### {}, {} runs\n", results.workload, results.runs());
    println!("| figure | floor | baseline | Tidings | ÷ floor | ÷ baseline | goal | |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | --- | --- |");
    results.figures().into_iter().for_each(|figure| print_row(results, figure));
    warn_of_noise(results);
}

fn print_row(results: &Results, figure: &str) {
    let shown = |value: Option<f64>| value.map_or_else(String::new, write);
    let [floor, baseline, ours] = Contestant::ALL.map(|who| shown(results.median(who, figure)));
    let to = |reference| shown(results.ratio(reference, figure));
    let goal = goals_of(&results.workload).find(|goal| goal.figure == figure);
    let verdict = match goal.and_then(|goal| goal.is_met(results)) {
        Some(true) => "met",
        Some(false) => "**not met**",
        None => "",
    };
    let goal = goal.map_or_else(String::new, |goal| goal.bound.to_string());
    let (to_floor, to_baseline) = (to(Contestant::Floor), to(Contestant::Baseline));
    println!(
        "| {figure} | {floor} | {baseline} | {ours} | {to_floor} | {to_baseline} | {goal} | {verdict} |"
    );
}

fn warn_of_noise(results: &Results) {
    let names = results.figures().into_iter().filter(|figure| figure.contains("other_cores"));
    let medians = names.flat_map(|name| Contestant::ALL.map(|who| results.median(who, name)));
    let most = medians.flatten().fold(0.0, f64::max);
    if most > NOISY {
        println!(
            "\nOthers kept {} cores busy meanwhile: measure again when the machine is quiet.",
            write(most)
        );
    }
}

/// Writes three digits, and all before the point.
pub fn write(value: f64) -> String {
    let digits = match value.abs() {
        0.0 | 100.0.. => 0,
        10.0.. => 1,
        1.0.. => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    let (whole, fraction) =
        text.split_once('.').map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        let left = whole.len() - place;
        if place > 0 && left.is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    fraction.map_or(grouped.clone(), |fraction| format!("{grouped}.{fraction}"))
}
