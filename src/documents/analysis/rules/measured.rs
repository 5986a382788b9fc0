//! Tells the value of a substance in the blood from the dose of a medication of the same name.

use std::sync::LazyLock;

use regex::Regex;

/// Beyond this no value belongs to a name.
const REACH: usize = 60;

// "mg/mL" is left out: that is how strong a solution is.
static VALUE: LazyLock<Regex> = LazyLock::new(|| {
    let amount = r"(?:[munpµμ]?mol|mg|g|gm|ng|pg|[uµμ]g|mcg|[munµμ]?i?u|m?eq)";
    let volume = r"(?:d?l|100\s?ml)";
    let small = r"(?:ng|pg|[uµμ]g|mcg|[munµμ]?i?u)/ml";
    let pattern = format!(
        r"(?i)^[\s:=|*\]\)]{{0,50}}(?:level|was|is|of)?\s{{0,5}}[<>≤≥]?\s?\d{{1,6}}(?:[.,]\d{{1,4}}){{0,2}}[\s|]{{0,30}}(?:[hl*+-][\s|]{{1,30}})?(?:{amount}\s?/\s?{volume}|{small})(?:\W|$)"
    );
    Regex::new(&pattern).expect("the pattern is fixed")
});

/// Says whether `after` begins with a measured value.
pub fn is_measured(after: &str) -> bool {
    let near = &after[..after.floor_char_boundary(after.len().min(2 * REACH))];
    let near = near.split('\n').next().unwrap_or_default();
    near.contains('/') && VALUE.is_match(near)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_no_dose() {
        for value in
            [" 8.1 mmol/L", ": 22 ng/mL", "      4.0    L    g/dL   5-9", " level 0.8 mmol/L", " <5 pg/mL"]
        {
            assert!(is_measured(value), "{value}");
        }
        for dose in [" 500 mg", " 10 mg/mL", " 18 units", " 100 mcg/puff", " 5 g daily", "", " 4\n 8 mmol/L"]
        {
            assert!(!is_measured(dose), "{dose}");
        }
    }
}
