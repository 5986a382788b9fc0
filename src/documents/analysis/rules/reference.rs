//! Reads what stands beside a measured value: printed flags and reference ranges.

use std::sync::LazyLock;

use regex::Regex;

use crate::documents::analysis::Flag;

/// Holds the pieces that the patterns of values are made of.
#[derive(Debug)]
pub struct Patterns {
    pub number: String,
    pub flag: String,
    pub range: String,
    pub unit: String,
}

/// Holds the limits between which a value is normal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    low: Option<f64>,
    high: Option<f64>,
}

/// Holds what follows a value on its line, and how many bytes that takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tail {
    pub flag: Option<Flag>,
    pub range: Option<Range>,
    pub length: usize,
}

const MAX_PIECES: usize = 6;

static PIECE: LazyLock<Regex> = LazyLock::new(|| {
    let Patterns { flag, range, unit, .. } = patterns();
    let words = r"(?:reference|ref|normal|range|interval|limits?|value)\b\.?";
    let flagged = format!(r"[\s|(\[*]{{0,4}}(?<flag>{flag})[)\]*]{{0,2}}");
    let ranged = format!(r"[\s|(\[,:;]{{0,4}}(?<range>{range})(?:\s?{unit})?[)\]]{{0,2}}");
    let named = format!(r"[\s|(\[,:;]{{0,4}}{words}");
    Regex::new(&format!("(?i)^(?:{flagged}|{ranged}|{named})")).expect("the pattern is fixed")
});
static LIMITS: LazyLock<Regex> = LazyLock::new(|| {
    let number = number();
    let limits =
        format!(r"(?i)^(?<mark>[<>≤≥]|up|less|greater|more)?.*?(?<low>{number})(?:\D+(?<high>{number}))?$");
    Regex::new(&limits).expect("the pattern is fixed")
});

fn number() -> &'static str {
    r"\d{1,7}(?:[.,]\d{1,4}){0,2}"
}

/// Returns the pieces, all of them to be read without regard to case.
pub fn patterns() -> Patterns {
    let number = number();
    let amount = "(?:mg|mcg|[uµμ]g|ng|pg|gm|g|[munpµμ]?mol|m?eq|[kmuµμ]?iu|[muµμk]?u|k|cells|copies)";
    let volume = "(?:dl|100ml|[muµμn]l|l|cumm|mm3|hpf|g|mmol|mol)";
    let count = r"(?:x\s?)?10(?:\s?[\^*e]\s?\d{1,2}|[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,2})\s?/\s?(?:[muµμ]?l)\b";
    let cleared = r"ml/min(?:\s?/\s?1[.,]73\s?m(?:\^?2|²))?";
    let plain = r"(?:mosm/kg|mmhg|kpa|mm/hr?|mm/1h|seconds|secs?|s|fl|pg)\b";
    Patterns {
        number: number.to_owned(),
        flag: r"(?:(?:hh?|ll?|high|low)\b|[↑↓])".to_owned(),
        range: format!(
            r"(?:{number}\s{{0,3}}(?:-|–|—|to)\s{{0,3}}{number}\b|(?:<=|>=|[<>≤≥]|up to|(?:less|greater|more) than)\s{{0,3}}{number}\b)"
        ),
        unit: format!(r"(?:{count}|{cleared}|{amount}/{volume}\b|{plain}|%)"),
    }
}

/// Says how a document writes fractions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Notation {
    /// `1,234.5`
    #[default]
    Point,
    /// `1.234,5`
    Comma,
}

static FRACTION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:^|[^\d.,])\d{1,5}([.,])\d{1,2}(?:[^\d.,/-]|[.,]\s|$)").expect("the pattern is fixed")
});

impl Notation {
    /// Tells from the fractions of a text that can be read one way only.
    pub fn of(text: &str) -> Self {
        let commas = FRACTION.captures_iter(text).map(|parts| u32::from(&parts[1] == ","));
        let (count, commas) = commas.fold((0, 0), |(count, sum), comma| (count + 1, sum + comma));
        if 2 * commas > count { Self::Comma } else { Self::Point }
    }

    /// Reads a number: in the comma notation points part thousands.
    pub fn parse(self, digits: &str) -> Option<f64> {
        let last_dot = digits.rfind('.').filter(|at| digits.len() - at == 4);
        let parts_thousands =
            last_dot.is_some() && !digits.starts_with('0') || digits.find('.') < digits.find(',');
        if self == Self::Comma && digits.contains('.') && parts_thousands {
            return digits.replace('.', "").replace(',', ".").parse().ok();
        }
        if self == Self::Comma && !digits.contains('.') {
            return digits.replace(',', ".").parse().ok();
        }
        parse_number(digits)
    }
}

/// Reads a number with a decimal point or comma, or with commas between thousands.
pub fn parse_number(digits: &str) -> Option<f64> {
    if let (Some(dot), Some(comma)) = (digits.find('.'), digits.rfind(','))
        && dot < comma
    {
        return digits.replace('.', "").replace(',', ".").parse().ok();
    }
    let Some((whole, fraction)) = digits.split_once(',') else { return digits.parse().ok() };
    let is_thousands = fraction.len() == 3 && whole != "0" || fraction.contains(['.', ',']);
    let plain = if is_thousands { digits.replace(',', "") } else { digits.replace(',', ".") };
    plain.parse().ok()
}

/// Reads a flag as it is printed.
pub fn printed_flag(text: &str) -> Option<Flag> {
    match text.chars().next()? {
        'h' | 'H' | '↑' | '+' => Some(Flag::High),
        'l' | 'L' | '↓' | '-' => Some(Flag::Low),
        _ => None,
    }
}

impl Range {
    /// Makes a range of its limits.
    pub const fn new(low: Option<f64>, high: Option<f64>) -> Self {
        Self { low, high }
    }

    /// Gives the range that holds both; a limit that one does not have there is none of.
    pub fn wider(self, other: Self) -> Self {
        let low = self.low.zip(other.low).map(|(one, two)| one.min(two));
        let high = self.high.zip(other.high).map(|(one, two)| one.max(two));
        Self { low, high }
    }

    /// Reads limits such as `3 - 5`, `<5` or `up to 5`.
    pub fn parse(text: &str) -> Option<Self> {
        let parts = LIMITS.captures(text)?;
        let first = parse_number(&parts["low"])?;
        match parts.name("mark").map(|mark| mark.as_str().to_ascii_lowercase()).as_deref() {
            Some("<" | "≤" | "up" | "less") => Some(Self { low: None, high: Some(first) }),
            Some(_) => Some(Self { low: Some(first), high: None }),
            None => {
                let second = parse_number(parts.name("high")?.as_str())?;
                (first <= second).then_some(Self { low: Some(first), high: Some(second) })
            }
        }
    }

    /// Says to which side `value` is out of range.
    pub fn flag(self, value: f64) -> Option<Flag> {
        if self.low.is_some_and(|low| value < low) {
            return Some(Flag::Low);
        }
        self.high.filter(|high| value > *high).map(|_| Flag::High)
    }
}

impl Tail {
    /// Reads the flag and range at the start of what follows a value.
    pub fn read(after: &str) -> Self {
        let mut tail = Self::default();
        for _ in 0..MAX_PIECES {
            let Some(parts) = PIECE.captures(&after[tail.length..]) else { break };
            let end = tail.length + parts.get(0).map_or(0, |whole| whole.end());
            let is_date = parts.name("range").is_some() && after[end..].starts_with(['-', '/', '.']);
            if is_date && after[end + 1..].starts_with(|letter: char| letter.is_ascii_digit()) {
                break;
            }
            tail.flag = tail.flag.or_else(|| printed_flag(parts.name("flag")?.as_str()));
            tail.range = tail.range.or_else(|| Range::parse(parts.name("range")?.as_str()));
            tail.length = end;
        }
        tail
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_part_thousands_or_the_fraction() {
        assert_eq!(parse_number("4,7"), Some(4.7));
        assert_eq!(parse_number("4,700"), Some(4_700.0));
        assert_eq!(parse_number("0,700"), Some(0.7));
        assert_eq!(parse_number("1,204.5"), Some(1_204.5));
        assert_eq!(parse_number("1.2.3"), None);
    }

    #[test]
    fn a_document_writes_its_fractions_one_way() {
        let comma = Notation::of("Leukozyten 11,8  Hb 8,4  am 05.03.2026");

        assert_eq!(comma, Notation::Comma);
        assert_eq!(comma.parse("1.024"), Some(1_024.0));
        assert_eq!(comma.parse("1.234,5"), Some(1_234.5));
        assert_eq!(comma.parse("3,125"), Some(3.125));
        assert_eq!(comma.parse("0.125"), Some(0.125));
        assert_eq!(Notation::of("K 4.6, Na 138"), Notation::Point);
        assert_eq!(Notation::Point.parse("1,234"), Some(1_234.0));
        assert_eq!(Notation::Point.parse("1.234,5"), Some(1_234.5));
    }

    #[test]
    fn a_range_has_one_limit_or_two() {
        assert_eq!(Range::parse("2.5 - 7.8"), Some(Range { low: Some(2.5), high: Some(7.8) }));
        assert_eq!(Range::parse("up to 35"), Some(Range { low: None, high: Some(35.0) }));
        assert_eq!(Range::parse(">= 60"), Some(Range { low: Some(60.0), high: None }));
        assert_eq!(Range::parse("9 - 3"), None);
    }

    #[test]
    fn the_limits_belong_to_the_range() {
        let range = Range::parse("3-5").unwrap();

        assert_eq!(range.flag(3.0), None);
        assert_eq!(range.flag(5.0), None);
        assert_eq!(range.flag(2.9), Some(Flag::Low));
        assert_eq!(range.flag(5.1), Some(Flag::High));
    }

    #[test]
    fn a_tail_ends_where_the_next_name_or_a_date_begins() {
        let tail = Tail::read(" (ref. range: 3-5 g/L) H  Chloride 101");

        assert_eq!(tail.flag, Some(Flag::High));
        assert_eq!(tail.range, Range::parse("3-5"));
        assert_eq!(tail.length, " (ref. range: 3-5 g/L) H".len());
        assert_eq!(Tail::read(" 10-12-2021"), Tail::default());
        assert_eq!(Tail::read(", low fibre diet"), Tail::default());
    }
}
