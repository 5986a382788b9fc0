//! Owns finding what a document says: its type, diagnoses, medications, lab values and dates.
//!
//! Everything is read by rules and tables, so the same text always gives the same findings,
//! in time linear in its length.

mod assertion;
mod dates;
mod diagnoses;
mod document_type;
mod lab_names;
mod lab_values;
mod medications;
mod reference;
mod vocabulary;
mod words;

use serde::{Deserialize, Serialize};

/// Names what kind of document a text is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentType {
    /// Results of a laboratory.
    LabReport,
    /// What a picture of the body shows.
    ImagingReport,
    /// What a hospital sends home with a patient.
    DischargeSummary,
    /// One doctor asks another to see a patient.
    ReferralLetter,
    /// An order for medication.
    Prescription,
    /// Anything that is not recognised.
    #[default]
    Other,
}

/// Holds all that was found in one document.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// Names what kind of document it is.
    pub document_type: DocumentType,
    /// Lists each asserted diagnosis once, in order of mention.
    pub diagnoses: Vec<Diagnosis>,
    /// Lists each medication once, in order of mention.
    pub medications: Vec<Medication>,
    /// Lists at most 500 measured values, in order of mention.
    pub lab_values: Vec<LabValue>,
    /// Lists at most the 200 newest dates as `YYYY-MM-DD`, newest first, without dates of birth.
    pub dates: Vec<String>,
}

/// Names a disease or injury.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// Holds its code in ICD-10.
    pub code: String,
    /// Holds its name in plain words.
    pub name: String,
}

/// Names a medication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Medication {
    /// Holds the generic name, also where a brand is written.
    pub name: String,
    /// Holds the first dose written behind the name, such as `500 mg`.
    pub dose: Option<String>,
}

/// Holds one measured value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabValue {
    /// Holds what was measured, as written.
    pub name: String,
    /// Holds the number; of `<5`, the bound.
    pub value: f64,
    /// Holds the unit as written, empty where the value has none.
    pub unit: String,
    /// Says whether the value is out of range, where the line tells.
    pub flag: Option<Flag>,
}

/// Says to which side a value is out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// The value is above its range.
    High,
    /// The value is below its range.
    Low,
}

/// Finds what a text says of a patient.
#[must_use]
pub fn analyze(text: &str) -> Findings {
    // Only ASCII changes case here, so places in one text are places in the other.
    let lower = text.to_ascii_lowercase();
    let words = words::split(text, &lower);
    let lab_values = lab_values::find(text);
    Findings {
        document_type: document_type::recognise(&words, lab_values.len()),
        diagnoses: diagnoses::find(&words),
        medications: medications::find(text, &words),
        lab_values,
        dates: dates::find(text),
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    const LETTER: &str = "Riverside Surgery\n14 May 2023\n\nDear Dr Osei,\n\
        Thank you for seeing Mrs Lind (born 3 June 1951), who has knee osteoarthritis and\n\
        high blood pressure. She denies asthma. No evidence of fracture on plain films.\n\
        Current medication: Norvasc 5 mg daily, paracetamol tablets 1 g.\n\
        Creatinine 124 umol/L (45 - 84)\n\nYours sincerely";

    #[test]
    fn every_part_of_a_letter_is_found() {
        let findings = analyze(LETTER);

        let codes: Vec<_> = findings.diagnoses.iter().map(|found| found.code.as_str()).collect();
        let doses: Vec<_> = findings.medications.iter().map(|found| found.dose.as_deref()).collect();
        assert_eq!(findings.document_type, DocumentType::ReferralLetter);
        assert_eq!(codes, ["M17.9", "I10"]);
        assert_eq!(doses, [Some("5 mg"), Some("1 g")]);
        assert_eq!(findings.lab_values[0].flag, Some(Flag::High));
        assert_eq!(findings.dates, ["2023-05-14"]);
    }

    #[test]
    fn findings_survive_json_and_name_their_type_in_snake_case() {
        let findings = analyze(LETTER);

        let json = serde_json::to_string(&findings).unwrap();

        assert!(json.contains(r#""document_type":"referral_letter""#), "{json}");
        assert_eq!(serde_json::from_str::<Findings>(&json).unwrap(), findings);
    }

    #[test]
    fn an_empty_text_says_nothing() {
        assert_eq!(analyze(""), Findings::default());
    }

    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 % bound as u64).unwrap()
        }
    }

    const SHARDS: [&str; 42] = [
        "no ",
        "asthma",
        "metformin",
        " 500 mg",
        "3.1",
        "31/02/2024",
        "2024-",
        "-",
        "–",
        ".",
        ",",
        "\n",
        "\t",
        "  ",
        ":",
        "(",
        ")",
        "mmol/L",
        "%",
        " H",
        "L ",
        "<",
        "≥",
        "µ",
        "é",
        "’",
        "\u{0}",
        "🩺",
        "March ",
        "12",
        "9999999999",
        "10^9/L",
        "İ",
        "ß",
        "Glucose ",
        "pH",
        "INR",
        "born ",
        "ruled out",
        "\u{a0}",
        "e\u{301}",
        "1,",
    ];

    #[test]
    fn no_text_makes_the_analysis_panic() {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);

        for _ in 0..3_000 {
            let count = random.below(40);
            let text: String = (0..count).map(|_| SHARDS[random.below(SHARDS.len())]).collect();
            let noise: String =
                (0..count).filter_map(|_| char::from_u32(random.below(0x11_0000) as u32)).collect();

            assert_eq!(analyze(&text), analyze(&text));
            assert_eq!(analyze(&noise), analyze(&noise));
        }
    }

    #[test]
    fn a_long_text_of_one_repeated_shard_is_read_to_its_end() {
        for shard in SHARDS.into_iter().chain(["Na 1 ", "1 2 ", "1/1/24 ", "no no asthma ", "a - b "]) {
            let text = shard.repeat(256 * 1024 / shard.len());

            let marked = format!("{text}\nDiagnosis: asthma.\n");

            assert!(
                analyze(&marked).diagnoses.iter().any(|found| found.code.starts_with("J45")),
                "{shard:?}"
            );
        }
    }
}
