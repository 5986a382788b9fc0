//! Reads what hurried notes leave the units out of: "Na 138, K 4.1, Cr 1.2".

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// One such pair may be anything; so many in a line are results.
const LEAST_PAIRS: usize = 2;

static PAIR: LazyLock<Regex> = LazyLock::new(|| {
    let names = "Na\\+?|K\\+?|Cl|HCO3|CO2|BUN|Cr|[Cc]reat|Ca|Mg|Phos|Glu|WBC|WCC|Hgb|HGB|Hb|Hct|Plt|PLT|Plts|eGFR|A1c|HbA1c|Alb|ALT|AST|ALP|GGT|LDL|HDL|TSH|CRP|ESR|LDH|Lactate|MCV|PSA|Lipase|BNP";
    let pair = format!(
        r"\b(?<name>{names})\s?[:=]?\s?(?<number>\d{{1,4}}(?:[.,]\d{{1,3}})?)(?:\s?(?<flag>[HL])\b)?(?:[,;)|/]|\.\s|\.?$|\s?(?:-|→)|\s(?:[A-Z]))"
    );
    Regex::new(&pair).expect("the pattern is fixed")
});

/// Says whether a line lists results in this way.
pub fn has_short_names(line: &str) -> bool {
    short_values(line).take(LEAST_PAIRS).count() == LEAST_PAIRS
}

/// Gives each pair of `name` and `number`, perhaps with a `flag`.
pub fn short_values(text: &str) -> impl Iterator<Item = Captures<'_>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let parts = PAIR.captures_at(text, from)?;
        // The mark behind the number may belong to the next name.
        from = parts.name("number")?.end();
        Some(parts)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        if !has_short_names(text) {
            return Vec::new();
        }
        short_values(text).map(|parts| (parts["name"].to_owned(), parts["number"].to_owned())).collect()
    }

    #[test]
    fn results_without_units_are_read_where_several_stand_together() {
        let read = pairs("Labs: Na 138, K 4.1 Cl 101; Cr 1.2 -> 1.1.");

        let names: Vec<_> = read.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["Na", "K", "Cl", "Cr"]);
        assert!(pairs("vitamin K 10 mg").is_empty());
        assert!(pairs("Na 138 mmol/L, K 4.1 mmol/L").is_empty());
    }
}
