//! What can be found in a document.

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
