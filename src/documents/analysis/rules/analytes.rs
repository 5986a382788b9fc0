//! Knows what laboratories measure, by the names of `analytes.tsv`, and what is usual in adults.

use std::sync::LazyLock;

use super::{
    reference::{Range, parse_number},
    vocabulary::{Vocabulary, list, rows},
    words::split,
};

/// Says whether ranges of men or of women hold, as far as the document tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sex {
    Male,
    Female,
    #[default]
    Unknown,
}

/// Something that is measured.
#[derive(Debug)]
pub struct Analyte {
    pub name: &'static str,
    usual: Vec<Usual>,
}

#[derive(Debug)]
struct Usual {
    unit: &'static str,
    sex: Sex,
    range: Range,
}

struct Table {
    analytes: Vec<Analyte>,
    terms: Vocabulary<usize>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let (mut analytes, mut all) = (Vec::new(), Vec::new());
    for row in table() {
        let at = analytes.len();
        all.extend(synonyms(&row).map(|term| (term, at)));
        let usual = list(row.get(2).copied().unwrap_or_default()).filter_map(Usual::parse).collect();
        analytes.push(Analyte { name: row[0], usual });
    }
    Table { analytes, terms: Vocabulary::of_terms(all) }
});

fn table() -> impl Iterator<Item = Vec<&'static str>> {
    rows(include_str!("analytes.tsv"))
}

fn synonyms(row: &[&'static str]) -> impl Iterator<Item = &'static str> + use<> {
    list(row.get(1).copied().unwrap_or_default())
}

/// Lists the names as they stand in the table.
pub fn terms() -> impl Iterator<Item = &'static str> {
    table().flat_map(|row| synonyms(&row).collect::<Vec<_>>())
}

/// Finds what a name such as `Creatinine (serum)` stands for: the longest term in it, on a draw the last.
pub fn of_name(name: &str) -> Option<&'static Analyte> {
    let lower = name.to_ascii_lowercase();
    let words = split(name, &lower);
    let found = (0..words.len()).filter_map(|at| TABLE.terms.longest(&words[at..]));
    let (at, _) = found.max_by_key(|(_, length)| *length)?;
    Some(&TABLE.analytes[at])
}

impl Analyte {
    /// Gives the range that is usual in adults, the wider one where the sex is not known.
    pub fn usual_range(&self, unit: &str, sex: Sex) -> Option<Range> {
        let unit = comparable(unit);
        let fits = |usual: &&Usual| {
            usual.unit == unit && (usual.sex == Sex::Unknown || sex == Sex::Unknown || usual.sex == sex)
        };
        self.usual.iter().filter(fits).map(|usual| usual.range).reduce(Range::wider)
    }
}

impl Usual {
    /// Reads `g/l m 130 170`, with `-` for a limit there is none of.
    fn parse(text: &'static str) -> Option<Self> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let (&unit, rest) = fields.split_first()?;
        let sex = match *rest.first()? {
            "m" => Sex::Male,
            "f" => Sex::Female,
            _ => Sex::Unknown,
        };
        let limits = &rest[usize::from(sex != Sex::Unknown)..];
        let limit =
            |at: usize| limits.get(at).and_then(|text| text.parse().ok().or_else(|| parse_number(text)));
        Some(Self { unit, sex, range: Range::new(limit(0), limit(1)) })
    }
}

/// Gives a unit as the table has it.
fn comparable(unit: &str) -> String {
    let plain: String = unit.to_lowercase().chars().filter(|letter| !letter.is_whitespace()).collect();
    let plain =
        plain.replace(['µ', 'μ'], "u").replace("mcg", "ug").replace("10*", "10^").replace("10e", "10^");
    let plain = plain
        .replace("10⁹", "10^9")
        .replace("10¹²", "10^12")
        .replace("10³", "10^3")
        .replace("²", "2")
        .replace("gm/", "g/");
    let plain = plain.strip_prefix('x').map_or(plain.clone(), str::to_owned);
    let plain = plain.replace("m^2", "m2").replace("1,73", "1.73");
    match plain.as_str() {
        "k/ul" | "10^3/ul" | "giga/l" | "g/l10^9" | "/nl" => "10^9/l".into(),
        "m/ul" | "10^6/ul" => "10^12/l".into(),
        "ng/ml" => "ug/l".into(),
        "pg/ml" => "ng/l".into(),
        "meq/l" => "mmol/l".into(),
        "miu/l" | "uiu/ml" | "uu/ml" => "mu/l".into(),
        "iu/l" => "u/l".into(),
        _ => plain,
    }
}

/// Tells from the words of a document whether its patient is a man or a woman; unknown when both are spoken of alike.
pub fn sex_of(text: &str) -> Sex {
    let (mut male, mut female) = (0_u32, 0_u32);
    for word in text.split(|letter: char| !letter.is_alphabetic()) {
        match word {
            "he" | "He" | "his" | "His" | "him" | "Mr" | "MR" | "gentleman" | "man" | "male" | "Male"
            | "MALE" => male += 1,
            "she" | "She" | "her" | "Her" | "Mrs" | "MRS" | "lady" | "woman" | "female" | "Female"
            | "FEMALE" => female += 1,
            _ => {}
        }
    }
    if male > 2 * female {
        Sex::Male
    } else if female > 2 * male {
        Sex::Female
    } else {
        Sex::Unknown
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::documents::analysis::Flag;

    fn known(name: &str) -> &'static str {
        of_name(name).map_or("", |analyte| analyte.name)
    }

    #[test]
    fn a_name_is_known_whatever_stands_around_it() {
        assert_eq!(known("Creatinine (serum)"), "creatinine");
        assert_eq!(known("Serum ferritin"), "ferritin");
        assert_eq!(known("eGFR (CKD-EPI)"), "eGFR");
        assert_eq!(known("Hemoglobin A1c"), "HbA1c");
        assert_eq!(known("LDL Cholesterol"), "LDL cholesterol");
        assert_eq!(known("Bilirubin, Total"), "bilirubin");
        assert_eq!(known("Something else"), "");
    }

    #[test]
    fn usual_ranges_go_by_unit_and_sex() {
        let haemoglobin = of_name("Hb").unwrap();
        let flag = |value, unit, sex| haemoglobin.usual_range(unit, sex).and_then(|range| range.flag(value));

        assert_eq!(flag(125.0, "g/L", Sex::Male), Some(Flag::Low));
        assert_eq!(flag(125.0, "g/L", Sex::Female), None);
        assert_eq!(flag(125.0, "g/L", Sex::Unknown), None);
        assert_eq!(flag(12.5, "gm/dL", Sex::Male), Some(Flag::Low));
        assert_eq!(haemoglobin.usual_range("mmol/L", Sex::Male), None);
        assert!(of_name("WBC").unwrap().usual_range("x10E3/uL", Sex::Unknown).is_some());
        assert!(of_name("eGFR").unwrap().usual_range("mL/min/1.73 m²", Sex::Unknown).is_some());
    }

    #[test]
    fn the_patients_sex_is_what_most_words_say() {
        assert_eq!(sex_of("Mrs Lind came. She is well."), Sex::Female);
        assert_eq!(sex_of("He came with his wife. She is well."), Sex::Unknown);
        assert_eq!(sex_of("58-year-old gentleman"), Sex::Male);
    }

    #[test]
    fn the_table_has_many_rows_and_each_name_one_meaning() {
        let mut seen = HashMap::new();
        for row in table() {
            for term in synonyms(&row) {
                let before = seen.insert(term, row[0]);
                assert!(before.is_none_or(|before| before == row[0]), "{term}");
            }
            assert_eq!(
                list(row.get(2).copied().unwrap_or_default()).filter_map(Usual::parse).count(),
                list(row.get(2).copied().unwrap_or_default()).count()
            );
        }
        assert!(TABLE.analytes.len() >= 80);
    }
}
