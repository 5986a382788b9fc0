//! Finds the dates a text is written with, in the forms that doctors and laboratories use.

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
    Either { first: i32, second: i32, year: i32 },
    Clear(NaiveDate),
}

/// Finds the dates as `YYYY-MM-DD`, newest first, each once.
pub fn find(text: &str) -> Vec<String> {
    let all: Vec<Written> = DATE
        .captures_iter(text)
        .filter(|parts| stands_alone(text, parts) && !is_birth(text, parts))
        .filter_map(|parts| written(&parts))
        .collect();
    let month_first = is_month_first(&all);
    let dates = all.iter().filter_map(|written| written.date(month_first));
    let dates: BTreeSet<NaiveDate> = dates.filter(|date| YEARS.contains(&date.year())).collect();
    dates.iter().rev().take(MAX_DATES).map(NaiveDate::to_string).collect()
}

impl Written {
    fn date(self, month_first: bool) -> Option<NaiveDate> {
        match self {
            Self::Clear(date) | Self::DayFirst(date) | Self::MonthFirst(date) => Some(date),
            Self::Either { first, second, year } if month_first => date(year, first, second),
            Self::Either { first, second, year } => date(year, second, first),
        }
    }
}

// The dates that can only be read one way tell how their writer means the others.
fn is_month_first(all: &[Written]) -> bool {
    let day_first = all.iter().filter(|written| matches!(written, Written::DayFirst(_))).count();
    let month_first = all.iter().filter(|written| matches!(written, Written::MonthFirst(_))).count();
    month_first > day_first
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
    let (year, month, day) = if parts.name("d3").is_some() { ("y3", "m3", "d3") } else { ("y4", "m4", "d4") };
    let month = month_number(parts.name(month)?.as_str())?;
    date(number(parts, year)?, month, number(parts, day)?).map(Written::Clear)
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
            "04/09/2021",
            "04/09/21",
            "4 September 2021",
            "4th of Sept 2021",
            "04-SEP-2021",
            "September 4, 2021",
            "Sep. 4th 2021",
        ] {
            assert_eq!(find(&format!("seen on {form}, well")), ["2021-09-04"], "{form}");
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
    fn a_number_that_looks_like_a_date_is_none() {
        assert!(find("ID 1-2020-01-02-7, tel 12/34/5678, range 10-12-15, v1.2024.01.02").is_empty());
        assert!(find("12021-09-04, 04/09-2021").is_empty());
    }

    #[test]
    fn a_date_of_birth_does_not_date_the_document() {
        assert_eq!(find("DOB: 04/09/1950  Collected: 05/09/2021"), ["2021-09-05"]);
        assert!(find("Date of birth (dd/mm/yyyy)\n04/09/1950, born on 4 September 1950").is_empty());
    }
}
