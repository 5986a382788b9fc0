//! Finds the dates a text is written with, in the forms that doctors and laboratories use.
//!
//! `05/03/2026` is two dates; which one is meant is told by the rest of the document, or the date is left out.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use chrono::{Datelike, NaiveDate};
use regex::{Captures, Regex};

const YEARS: std::ops::RangeInclusive<i32> = 1900..=2100;
const MAX_DATES: usize = 200;
// Two digits below this are of this century.
const CENTURY_PIVOT: i32 = 50;
const LABEL_BYTES: usize = 64;

static DATE: LazyLock<Regex> = LazyLock::new(|| {
    let month = "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|\
        sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)";
    let parts = [
        r"\b(?<y1>\d{4})(?<s1>[-/.])(?<m1>\d{1,2})(?<t1>[-/.])(?<d1>\d{1,2})(?:\b|T)".to_owned(),
        r"\b(?<a2>\d{1,2})(?<s2>[-/.])(?<b2>\d{1,2})(?<t2>[-/.])(?<y2>\d{4}|\d{2})\b".to_owned(),
        format!(
            r"\b(?<d3>\d{{1,2}})(?:st|nd|rd|th)?(?:\s(?:of\s)?|[-./])\s?(?<m3>{month})\b[\s,./-]{{1,3}}(?<y3>\d{{4}})\b"
        ),
        format!(
            r"\b(?<m4>{month})\b[\s.]{{1,3}}(?<d4>\d{{1,2}})(?:st|nd|rd|th)?[\s,]{{1,3}}(?<y4>\d{{4}})\b"
        ),
    ];
    Regex::new(&format!("(?i){}", parts.join("|"))).expect("the pattern is fixed")
});
// Directly before a date these make it a date of birth, which says nothing of the document.
static BIRTH: LazyLock<Regex> = LazyLock::new(|| {
    let label = r"(?i)\b(?:d\.?o\.?b|birth(?:[ -]?da(?:te|y))?|born(?:\son)?)\b\.?\s{0,3}(?:\([^()]{0,20}\))?\W{0,8}$";
    Regex::new(label).expect("the pattern is fixed")
});

/// Holds a date as far as it is clear without the rest of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    DayFirst(NaiveDate),
    MonthFirst(NaiveDate),
    Either {
        first: i32,
        second: i32,
        year: i32,
    },
    Clear(NaiveDate),
    /// `5 March 2026`: its writer may put the day first in figures too.
    DayBeforeMonth(NaiveDate),
    /// `March 5, 2026`
    MonthBeforeDay(NaiveDate),
}

/// Says which comes first in figures, as far as the document tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    DayFirst,
    MonthFirst,
}

// Spellings, forms and words that one side of the ocean uses. Mexico and others write as Britain does.
static AMERICAN: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"hemoglobin|hematocrit|anemia|leukemia|edema|esophag\w{1,10}|estrogen|pediatric\w?|gyneco\w{1,8}|orthopedic\w?|diarrhea|tumor\w?|fiber|center|color|acetaminophen|albuterol|epinephrine|m\.d\.|md|d\.o\.|zip|medicare|medicaid|insurance|npi|dob|y/o|mg/dl|g/dl",
    )
});
static BRITISH: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"haemoglobin|haematocrit|anaemia|leukaemia|oedema|oesophag\w{1,10}|oestrogen|paediatric\w?|gynaeco\w{1,8}|orthopaedic\w?|diarrhoea|tumour\w?|fibre|centre|colour|paracetamol|salbutamol|adrenaline|nhs|gp|surgery|registrar|practice nurse|d\.o\.b\.?|mmol/l|umol/l|µmol/l|postcode|a&e|bloods|od|bd|tds|nocte",
    )
});

fn words(pattern: &str) -> Regex {
    Regex::new(&format!(r"(?i)\b(?:{pattern})(?:\W|$)")).expect("the pattern is fixed")
}
/// So many more words of one side than of the other tell.
const LEAD: usize = 3;
/// More are not looked at.
const MOST_WORDS: usize = 200;

/// Finds the dates as `YYYY-MM-DD`, newest first, each once.
pub fn find(text: &str) -> Vec<String> {
    let all: Vec<Written> = DATE
        .captures_iter(text)
        .filter(|parts| stands_alone(text, parts) && !is_birth(text, parts))
        .filter_map(|parts| written(&parts))
        .collect();
    let order = order_of(&all).or_else(|| order_by_words(text));
    let dates = all.iter().filter_map(|written| written.date(order));
    let dates: BTreeSet<NaiveDate> = dates.filter(|date| YEARS.contains(&date.year())).collect();
    dates.iter().rev().take(MAX_DATES).map(NaiveDate::to_string).collect()
}

impl Written {
    fn date(self, order: Option<Order>) -> Option<NaiveDate> {
        match self {
            Self::Clear(date)
            | Self::DayFirst(date)
            | Self::MonthFirst(date)
            | Self::DayBeforeMonth(date)
            | Self::MonthBeforeDay(date) => Some(date),
            Self::Either { first, second, year } if first == second => date(year, first, second),
            Self::Either { first, second, year } => match order? {
                Order::DayFirst => date(year, second, first),
                Order::MonthFirst => date(year, first, second),
            },
        }
    }
}

// The dates that can only be read one way tell how their writer means the others: those in figures, else those with
// a name for the month.
fn order_of(all: &[Written]) -> Option<Order> {
    let count = |is: fn(&Written) -> bool| all.iter().filter(|written| is(written)).count();
    let figures = (
        count(|written| matches!(written, Written::DayFirst(_))),
        count(|written| matches!(written, Written::MonthFirst(_))),
    );
    let names = (
        count(|written| matches!(written, Written::DayBeforeMonth(_))),
        count(|written| matches!(written, Written::MonthBeforeDay(_))),
    );
    more(figures, 1).or_else(|| more(names, 1))
}

fn order_by_words(text: &str) -> Option<Order> {
    let count = |words: &Regex| words.find_iter(text).take(MOST_WORDS).count();
    more((count(&BRITISH), count(&AMERICAN)), LEAD)
}

fn more((day_first, month_first): (usize, usize), lead: usize) -> Option<Order> {
    if day_first >= month_first + lead {
        Some(Order::DayFirst)
    } else if month_first >= day_first + lead {
        Some(Order::MonthFirst)
    } else {
        None
    }
}

// A longer chain of numbers is an identifier, not a date.
fn stands_alone(text: &str, parts: &Captures<'_>) -> bool {
    let Some(whole) = parts.get(0) else { return false };
    let mut before = text[..whole.start()].chars().rev();
    let mut after = text[whole.end()..].chars();
    let joins = |mark: Option<char>, beyond: Option<char>| {
        mark.is_some_and(|mark| ['-', '/', '.'].contains(&mark))
            && beyond.is_some_and(|next| next.is_ascii_digit())
    };
    !joins(before.next(), before.next()) && !joins(after.next(), after.next())
}

fn written(parts: &Captures<'_>) -> Option<Written> {
    if parts.name("y1").is_some() {
        same_separator(parts, "s1", "t1")?;
        return date(number(parts, "y1")?, number(parts, "m1")?, number(parts, "d1")?).map(Written::Clear);
    }
    if parts.name("a2").is_some() {
        return numeric(parts);
    }
    let is_day_first = parts.name("d3").is_some();
    let (year, month, day) = if is_day_first { ("y3", "m3", "d3") } else { ("y4", "m4", "d4") };
    let month = month_number(parts.name(month)?.as_str())?;
    let date = date(number(parts, year)?, month, number(parts, day)?)?;
    Some(if is_day_first { Written::DayBeforeMonth(date) } else { Written::MonthBeforeDay(date) })
}

fn numeric(parts: &Captures<'_>) -> Option<Written> {
    let separator = same_separator(parts, "s2", "t2")?;
    let (first, second) = (number(parts, "a2")?, number(parts, "b2")?);
    let year = full_year(&parts["y2"])?;
    match separator {
        // "10-12-15" is as likely a range or a number.
        "-" if parts["y2"].len() == 2 => None,
        // Nobody writes the month first with dots.
        "." => date(year, second, first).map(Written::Clear),
        _ if first > 12 => date(year, second, first).map(Written::DayFirst),
        _ if second > 12 => date(year, first, second).map(Written::MonthFirst),
        _ => Some(Written::Either { first, second, year }),
    }
}

fn same_separator<'t>(parts: &Captures<'t>, first: &str, second: &str) -> Option<&'t str> {
    let separator = parts.name(first)?.as_str();
    (separator == parts.name(second)?.as_str()).then_some(separator)
}

fn full_year(digits: &str) -> Option<i32> {
    let year: i32 = digits.parse().ok()?;
    let century = if year < CENTURY_PIVOT { 2000 } else { 1900 };
    Some(if digits.len() == 2 { century + year } else { year })
}

fn date(year: i32, month: i32, day: i32) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(year, u32::try_from(month).ok()?, u32::try_from(day).ok()?)
}

fn number(parts: &Captures<'_>, group: &str) -> Option<i32> {
    parts.name(group)?.as_str().parse().ok()
}

fn month_number(name: &str) -> Option<i32> {
    let months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let start = name.get(..3)?.to_ascii_lowercase();
    (1..).zip(months).find(|(_, month)| *month == start).map(|(number, _)| number)
}

fn is_birth(text: &str, parts: &Captures<'_>) -> bool {
    let start = parts.get(0).map_or(0, |whole| whole.start());
    let from = text.floor_char_boundary(start.saturating_sub(LABEL_BYTES));
    BIRTH.is_match(&text[from..start])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_found_in_every_written_form() {
        for form in [
            "2021-09-04",
            "2021/09/04",
            "2021-09-04T08:30:00Z",
            "4.9.2021",
            "04/09/2021 (NHS; haemoglobin, salbutamol)",
            "04/09/21; 31/12/20",
            "4 September 2021",
            "4th of Sept 2021",
            "04-SEP-2021",
            "September 4, 2021",
            "Sep. 4th 2021",
        ] {
            assert_eq!(find(&format!("seen on {form}, well"))[0], "2021-09-04", "{form}");
        }
    }

    #[test]
    fn an_impossible_date_is_ignored() {
        assert!(find("30 February 2022, 2022-13-01, 32/01/2022, 29.02.2023, 0001-01-01").is_empty());
        assert_eq!(find("29.02.2024"), ["2024-02-29"]);
    }

    #[test]
    fn dates_come_newest_first_and_once() {
        let text = "Seen 2020-01-02, again 5 May 2022 and on 2 January 2020";

        assert_eq!(find(text), ["2022-05-05", "2020-01-02"]);
    }

    #[test]
    fn one_clear_date_tells_how_the_others_are_meant() {
        assert_eq!(find("02/03/2022 and 02/28/2022"), ["2022-02-28", "2022-02-03"]);
        assert_eq!(find("02/03/2022 and 28/02/2022"), ["2022-03-02", "2022-02-28"]);
    }

    #[test]
    fn a_date_that_nothing_tells_how_to_read_is_left_out() {
        assert!(find("seen on 04/09/2021").is_empty());
        assert_eq!(find("05/05/2021"), ["2021-05-05"]);
        assert_eq!(find("Seen September 1, 2021 and 04/09/2021"), ["2021-09-01", "2021-04-09"]);
        assert_eq!(find("Seen 1 September 2021 and 04/09/2021"), ["2021-09-04", "2021-09-01"]);
        assert_eq!(find("04/09/2021 L. Okonkwo, MD. Hemoglobin 12 g/dL"), ["2021-04-09"]);
    }

    #[test]
    fn a_number_that_looks_like_a_date_is_none() {
        assert!(find("ID 1-2020-01-02-7, tel 12/34/5678, range 10-12-15, v1.2024.01.02").is_empty());
        assert!(find("12021-09-04, 04/09-2021").is_empty());
    }

    #[test]
    fn a_date_of_birth_does_not_date_the_document() {
        assert_eq!(find("DOB: 04/09/1950  Collected: 25/09/2021"), ["2021-09-25"]);
        assert!(find("Date of birth (dd/mm/yyyy)\n04/09/1950, born on 4 September 1950").is_empty());
    }
}
