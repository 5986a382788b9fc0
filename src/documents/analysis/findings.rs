//! What can be found in a document.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Longest list, and longest text in one, of findings that come from elsewhere.
const MOST_ITEMS: usize = 500;
const MOST_DATES: usize = 200;
const MOST_CHARACTERS: usize = 200;

/// Names what kind of document a text is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
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

/// Holds all that was found in one document. What is left out of its JSON is empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// Holds its code in ICD-10.
    pub code: String,
    /// Holds its name in plain words.
    pub name: String,
    /// Says whether the patient had it rather than has it.
    #[serde(default)]
    pub is_past: bool,
}

/// Names a medication.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Medication {
    /// Holds the generic name, also where a brand is written.
    pub name: String,
    /// Holds the first dose written behind the name, such as `500 mg`.
    #[serde(default)]
    pub dose: Option<String>,
    /// Says how often it is taken, such as `twice daily`, `every 8 hours` or `1-0-1`.
    #[serde(default)]
    pub frequency: Option<String>,
    /// Says how it is taken, such as `oral` or `subcutaneous`.
    #[serde(default)]
    pub route: Option<String>,
    /// Says whether it is taken only when needed.
    #[serde(default)]
    pub as_needed: bool,
}

/// Holds one measured value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LabValue {
    /// Holds what was measured, as written.
    pub name: String,
    /// Names what was measured the same in all documents, where it is known.
    #[serde(default)]
    pub analyte: Option<String>,
    /// Holds the number; of `<5`, the bound.
    pub value: f64,
    /// Holds the unit as written, empty where the value has none.
    #[serde(default)]
    pub unit: String,
    /// Says whether the value is out of range, where that can be told.
    #[serde(default)]
    pub flag: Option<Flag>,
    /// Says what the flag is by.
    #[serde(default)]
    pub flag_source: Option<FlagSource>,
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

/// Says what a flag is by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlagSource {
    /// The report prints it.
    Report,
    /// The report prints a range, and the value is outside.
    PrintedRange,
    /// The report prints neither, and the value is outside what is usual in adults.
    UsualRange,
}

impl Findings {
    /// Reads findings that come from elsewhere; none where they are not of the schema, or not sound.
    #[must_use]
    pub fn from_json(json: &[u8]) -> Option<Self> {
        // A list would do in place of an object, as far as serde is concerned.
        let object: serde_json::Map<_, _> = serde_json::from_slice(json).ok()?;
        serde_json::from_value(object.into()).ok().filter(Self::is_sound)
    }

    /// Says whether lists and texts are no longer than they may be, no name is empty, and dates are dates.
    fn is_sound(&self) -> bool {
        let lists = [self.diagnoses.len(), self.medications.len(), self.lab_values.len()];
        lists.iter().all(|length| *length <= MOST_ITEMS)
            && self.dates.len() <= MOST_DATES
            && self.dates.iter().all(|date| date.len() == 10 && date.parse::<NaiveDate>().is_ok())
            && self.diagnoses.iter().all(|found| is_name(&found.code) && is_name(&found.name))
            && self.medications.iter().all(Medication::is_sound)
            && self.lab_values.iter().all(LabValue::is_sound)
    }
}

impl Medication {
    fn is_sound(&self) -> bool {
        let texts = [&self.dose, &self.frequency, &self.route];
        is_name(&self.name) && texts.into_iter().flatten().all(|text| is_short(text))
    }
}

impl LabValue {
    fn is_sound(&self) -> bool {
        is_name(&self.name) && is_short(&self.unit) && self.analyte.as_deref().is_none_or(is_name)
    }
}

fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && is_short(text)
}

fn is_short(text: &str) -> bool {
    text.chars().take(MOST_CHARACTERS + 1).count() <= MOST_CHARACTERS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<Findings> {
        Findings::from_json(json.as_bytes())
    }

    #[test]
    fn what_is_left_out_is_empty() {
        assert_eq!(read("{}"), Some(Findings::default()));
        let found =
            read(r#"{"medications":[{"name":"codeine"}],"lab_values":[{"name":"K","value":4}]}"#).unwrap();
        assert_eq!((found.medications[0].dose.as_ref(), found.lab_values[0].unit.as_str()), (None, ""));
        assert!(read(r#"{"something_new":1}"#).is_some());
    }

    #[test]
    fn what_is_no_finding_is_refused() {
        let long = "x".repeat(201);
        for json in [
            r#"{"dates":["05/03/2026"]}"#.to_owned(),
            r#"{"diagnoses":[{"code":"","name":"gout"}]}"#.to_owned(),
            r#"{"diagnoses":[{"name":"gout"}]}"#.to_owned(),
            r#"{"document_type":"poem"}"#.to_owned(),
            format!(r#"{{"medications":[{{"name":"{long}"}}]}}"#),
            r#"{"lab_values":[{"name":"K","value":"4"}]}"#.to_owned(),
            "[]".to_owned(),
        ] {
            assert!(read(&json).is_none(), "{json}");
        }
    }
}
