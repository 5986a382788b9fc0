//! Finds measured values line by line: a name, a number and a unit, with the flag or the
//! reference range that stands beside them.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::{
    analytes::{self, Analyte, Sex, sex_of},
    lab_names::name_of,
    reference::{Notation, Range, Tail, patterns, printed_flag},
    short_values::{has_short_names, short_values},
};
use crate::documents::analysis::{Flag, FlagSource, LabValue};

const MAX_LAB_VALUES: usize = 500;

// Units that also measure other things count only beside a range, a flag or one of these names.
const WEAK_UNITS: [&str; 9] = ["%", "s", "sec", "secs", "seconds", "fl", "pg", "mm/h", "mm/hr"];
const NAMES_OF_WEAK_UNITS: [&str; 28] = [
    "hba1c",
    "a1c",
    "haemoglobin",
    "hemoglobin",
    "haematocrit",
    "hematocrit",
    "hct",
    "pcv",
    "rdw",
    "mcv",
    "mch",
    "mpv",
    "pt",
    "aptt",
    "ptt",
    "prothrombin",
    "thromboplastin",
    "transferrin",
    "neutrophils",
    "lymphocytes",
    "monocytes",
    "eosinophils",
    "basophils",
    "reticulocytes",
    "esr",
    "sedimentation",
    "saturation",
    "volume",
];

// A value is a number with its unit, flag and range in between where the table has them so,
// or one of the few names whose values have no unit. Repetitions are bounded to keep the
// time linear.
static VALUE: LazyLock<Regex> = LazyLock::new(|| {
    let patterns = patterns();
    let (number, flag, range) = (&patterns.number, &patterns.flag, &patterns.range);
    let bound = "(?:<=|>=|[<>≤≥])";
    let measured = format!(
        r"(?<bound>{bound}\s?)?\b(?<number>{number})(?:[\s|]{{0,3}}\*?(?<flag>{flag}))?(?:[\s|]{{1,3}}(?<sign>\+{{1,3}}|-{{1,3}})[\s|])?(?:[\s|]{{1,3}}(?<range>{range}))?[\s|]{{0,3}}(?<unit>{})",
        patterns.unit
    );
    let pure =
        format!(r"\b(?<pure>INR|inr|pH)\b[\s:=(|]{{0,4}}(?:(?:of|was|is)\s)?(?<pure_number>{number})\b");
    Regex::new(&format!("(?i:{measured})|{pure}")).expect("the pattern is fixed")
});

/// Holds what the whole document says of each of its values.
struct Reader {
    notation: Notation,
    sex: Sex,
    found: Vec<LabValue>,
}

/// Finds the values in order, at most 500.
pub fn find(text: &str) -> Vec<LabValue> {
    let mut reader = Reader { notation: Notation::of(text), sex: sex_of(text), found: Vec::new() };
    for line in text.lines().filter(|line| line.contains(|letter: char| letter.is_ascii_digit())) {
        // However wide the columns are set, one space parts them.
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        reader.read_line(&line);
        if reader.found.len() >= MAX_LAB_VALUES {
            reader.found.truncate(MAX_LAB_VALUES);
            break;
        }
    }
    reader.found
}

impl Reader {
    fn read_line(&mut self, line: &str) {
        let has_short_names = has_short_names(line);
        let mut from = 0;
        while let Some(parts) = VALUE.captures_at(line, from) {
            let Some(whole) = parts.get(0) else { return };
            let tail = Tail::read(&line[whole.end()..]);
            let before = &line[from..whole.start()];
            if has_short_names {
                self.read_short(before);
            }
            let value = self.lab_value(before, &parts, &tail);
            self.found.extend(value);
            from = whole.end() + tail.length;
            if self.found.len() >= MAX_LAB_VALUES {
                return;
            }
        }
        if has_short_names {
            self.read_short(&line[from..]);
        }
    }

    /// Reads "Na 138, K 4.1": short names before numbers without a unit.
    fn read_short(&mut self, text: &str) {
        for parts in short_values(text) {
            let name = parts["name"].to_owned();
            let Some(value) = self.notation.parse(&parts["number"]) else { continue };
            let printed = parts.name("flag").and_then(|flag| printed_flag(flag.as_str()));
            let analyte = analytes::of_name(&name).map(|analyte| analyte.name.to_owned());
            let flag_source = printed.map(|_| FlagSource::Report);
            self.found.push(LabValue {
                name,
                analyte,
                value,
                flag: printed,
                flag_source,
                ..LabValue::default()
            });
        }
    }

    fn lab_value(&self, before: &str, parts: &Captures<'_>, tail: &Tail) -> Option<LabValue> {
        if let Some(name) = parts.name("pure") {
            let value = self.notation.parse(&parts["pure_number"])?;
            return Some(self.with_flag(name.as_str().to_owned(), value, "", parts, tail));
        }
        let is_negative = is_minus(before)?;
        let name = name_of(before.strip_suffix('-').unwrap_or(before))?;
        let value = self.notation.parse(&parts["number"])? * if is_negative { -1.0 } else { 1.0 };
        let unit = &parts["unit"];
        let has_context = tail.flag.is_some() || tail.range.is_some() || parts.name("sign").is_some();
        let has_context = has_context || parts.name("flag").is_some() || parts.name("range").is_some();
        if !has_context && !unit_fits(&name, unit) {
            return None;
        }
        Some(self.with_flag(name, value, unit, parts, tail))
    }

    fn with_flag(&self, name: String, value: f64, unit: &str, parts: &Captures<'_>, tail: &Tail) -> LabValue {
        let group = |name| parts.name(name).map(|part| part.as_str());
        let bound = group("bound").unwrap_or_default();
        let analyte = analytes::of_name(&name);
        let printed = group("flag").or(group("sign")).and_then(printed_flag).or(tail.flag);
        let range = group("range").and_then(Range::parse).or(tail.range);
        let by_usual = || flag_by_range(value, bound, usual_range(analyte, unit, self.sex)?);
        let (flag, flag_source) = match (printed, range) {
            (Some(flag), _) => (Some(flag), FlagSource::Report),
            (None, Some(range)) => (flag_by_range(value, bound, range), FlagSource::PrintedRange),
            (None, None) => (by_usual(), FlagSource::UsualRange),
        };
        LabValue {
            name,
            analyte: analyte.map(|analyte| analyte.name.to_owned()),
            value,
            unit: unit.to_owned(),
            flag,
            flag_source: flag.map(|_| flag_source),
        }
    }
}

fn usual_range(analyte: Option<&Analyte>, unit: &str, sex: Sex) -> Option<Range> {
    analyte?.usual_range(unit, sex)
}

// "<5" says nothing of how far below it is, so only the lower limit can be broken.
fn flag_by_range(value: f64, bound: &str, range: Range) -> Option<Flag> {
    let flag = range.flag(value)?;
    match (bound.chars().next(), flag) {
        (Some('<' | '≤'), Flag::High) | (Some('>' | '≥'), Flag::Low) => None,
        _ => Some(flag),
    }
}

/// Says whether a minus stands before the number; none if it is part of a longer number.
fn is_minus(before: &str) -> Option<bool> {
    let mut letters = before.chars().rev();
    let last = letters.next()?;
    if last.is_ascii_digit() || ['.', ',', '/', '^'].contains(&last) {
        return None;
    }
    let is_dash = ['-', '–', '—'].contains(&before.trim_end().chars().next_back()?);
    let follows_number =
        before.trim_end_matches([' ', '-', '–', '—']).ends_with(|letter: char| letter.is_ascii_digit());
    if is_dash && follows_number {
        return None;
    }
    Some(last == '-' && letters.next().is_none_or(char::is_whitespace))
}

fn unit_fits(name: &str, unit: &str) -> bool {
    // That is how strong a solution for injection is.
    if unit.eq_ignore_ascii_case("mg/ml") {
        return false;
    }
    let is_weak = WEAK_UNITS.contains(&unit.to_ascii_lowercase().as_str());
    let mut words = name.split(|letter: char| !letter.is_alphanumeric());
    !is_weak || words.any(|word| NAMES_OF_WEAK_UNITS.contains(&word.to_ascii_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, f64, String, Option<Flag>)> {
        find(text).into_iter().map(|found| (found.name, found.value, found.unit, found.flag)).collect()
    }

    fn value(name: &str, value: f64, unit: &str, flag: Option<Flag>) -> (String, f64, String, Option<Flag>) {
        (name.to_owned(), value, unit.to_owned(), flag)
    }

    #[test]
    fn every_order_of_columns_is_read() {
        let wanted = [value("Ferritin", 9.5, "ug/L", Some(Flag::Low))];

        for line in [
            "Ferritin  9.5  ug/L  15 - 150  L",
            "Ferritin: 9.5 ug/L (15-150)",
            "Ferritin  9.5 L  ug/L  15-150",
            "Ferritin  9.5  15 – 150  ug/L",
            "Ferritin | 9.5 | ug/L | L",
            "Ferritin 9.5 ug/L Low",
            "Ferritin                          9.5                         ug/L                         15-150",
            "Ferritin, 9,5 ug/L [ref > 15]",
        ] {
            assert_eq!(found(line), wanted, "{line}");
        }
    }

    #[test]
    fn the_printed_flag_outranks_the_range() {
        assert_eq!(found("Urea 7.9 mmol/L 2.5-7.8"), [value("Urea", 7.9, "mmol/L", Some(Flag::High))]);
        assert_eq!(found("Urea 7.9 mmol/L L 2.5-7.8"), [value("Urea", 7.9, "mmol/L", Some(Flag::Low))]);
        assert_eq!(found("Urea 7.8 mmol/L 2.5-7.8"), [value("Urea", 7.8, "mmol/L", None)]);
    }

    #[test]
    fn a_bound_breaks_only_the_limit_it_is_beyond() {
        assert_eq!(found("TSH <0.01 mIU/L (0.4-4.0)")[0].3, Some(Flag::Low));
        assert_eq!(found("CRP < 5 mg/L (0-3)")[0].3, None);
        assert_eq!(found("BNP >5,000 ng/L (<100)"), [value("BNP", 5_000.0, "ng/L", Some(Flag::High))]);
    }

    #[test]
    fn several_values_may_share_a_line() {
        let text = "Today sodium was 131 mmol/L, potassium of 5.9 mmol/L and INR 1.1.";

        let values = [
            value("sodium", 131.0, "mmol/L", Some(Flag::Low)),
            value("potassium", 5.9, "mmol/L", Some(Flag::High)),
            value("INR", 1.1, "", None),
        ];
        assert_eq!(found(text), values);
    }

    #[test]
    fn a_name_may_hold_digits_commas_and_brackets() {
        assert_eq!(found("Vitamin B12 180 pg/mL")[0].0, "Vitamin B12");
        assert_eq!(found("Bilirubin, total  9 umol/L")[0].0, "Bilirubin, total");
        assert_eq!(found("Alanine transaminase (ALT)  31 U/L")[0].0, "Alanine transaminase (ALT)");
        assert_eq!(
            found("eGFR 58 mL/min/1.73m² >60"),
            [value("eGFR", 58.0, "mL/min/1.73m²", Some(Flag::Low))]
        );
        assert_eq!(
            found("Platelets 410 x10^9/L H"),
            [value("Platelets", 410.0, "x10^9/L", Some(Flag::High))]
        );
    }

    #[test]
    fn what_is_no_lab_value_is_left_alone() {
        for line in [
            "Metformin 500 mg twice daily",
            "Blood pressure 132/84 mmHg",
            "Reference range: 3.5 - 5.1 mmol/L",
            "Glucose 3.9 - 5.6 mmol/L",
            "Pain is better by 50 %",
            "Morphine 10 mg/mL",
            "5.5 mmol/L",
        ] {
            assert!(found(line).is_empty(), "{line}: {:?}", found(line));
        }
    }

    #[test]
    fn a_minus_is_told_from_a_dash() {
        assert_eq!(found("Base excess -2.4 mmol/L")[0].1, -2.4);
        assert_eq!(found("Lactate - 2.4 mmol/L"), [value("Lactate", 2.4, "mmol/L", Some(Flag::High))]);
    }

    #[test]
    fn a_share_counts_where_its_name_or_range_tells_that_it_is_measured() {
        assert_eq!(found("HbA1c 7.9 %"), [value("HbA1c", 7.9, "%", Some(Flag::High))]);
        assert_eq!(found("Anything 7.9 % (4-6)"), [value("Anything", 7.9, "%", Some(Flag::High))]);
    }
}
