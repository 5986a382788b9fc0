//! Finds by rules and tables, so the same text always gives the same findings, in time linear in its length.
//!
//! `words` parts a cleaned text into clauses, `sections` tells the heading they stand under, `assertion` what they
//! say of the patient; `diagnoses`, `medications` and `lab_values` look for the terms of their tables.

mod after;
mod analytes;
mod assertion;
mod cleaning;
mod cues;
mod dates;
mod diagnoses;
mod directions;
mod document_type;
mod lab_names;
mod lab_values;
mod measured;
mod medications;
mod reference;
mod relatives;
mod sections;
mod short_values;
mod spelling;
mod vocabulary;
mod words;

use super::Findings;

/// Finds what a text says of a patient.
#[must_use]
pub fn analyze(text: &str) -> Findings {
    let text = &cleaning::clean(text);
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
    use crate::documents::analysis::{DocumentType, Flag};

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

    /// Far more than it takes; what grows with the square of the length takes hours.
    const WITHIN: std::time::Duration = std::time::Duration::from_secs(60);

    #[test]
    fn a_hostile_text_takes_no_longer_than_its_length() {
        let hostile = [
            "chronic acute severe ",
            "no no no ",
            "a-\n",
            "the left the right ",
            "- ",
            "?",
            "mother ",
            "1-",
            "1,1",
            "(((",
            "mg mg mg ",
            "aspirin ",
            "aspirin (aspirin (",
            "fracture of the the of the ",
            "Na 1 K 1 ",
            "05/03/2026 ",
            "Stopped: ",
            "and asthma and ",
            "A\n",
            "ﬁ",
            "ckd stage ckd stage ",
            "9.9.9.9,9,9 ",
            "aspirin tablet tablet tablet ",
            "\u{ad}\n",
        ];
        for shard in hostile {
            let text = shard.repeat(512 * 1024 / shard.len());
            let began = std::time::Instant::now();

            std::hint::black_box(analyze(&text));

            assert!(began.elapsed() < WITHIN, "{shard:?} took {:?}", began.elapsed());
        }
    }
}
