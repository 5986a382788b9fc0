//! Reads what is written behind a medication: dose, how often, by which way, and whether only when needed.

use std::sync::LazyLock;

use regex::Regex;

use crate::documents::analysis::Medication;

/// Directions reach no further, in bytes.
const REACH: usize = 160;

/// Holds what is written behind the name of a medication.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directions {
    dose: Option<String>,
    frequency: Option<String>,
    route: Option<&'static str>,
    as_needed: bool,
}

struct Dose {
    strength: Regex,
    count: Regex,
}

// Only form, salt, route and such may stand between a name and its dose, so that no medication
// takes the dose of the next. Repetitions are bounded to keep the time linear.
static DOSE: LazyLock<Dose> = LazyLock::new(|| {
    let filler = "tablets?|tabs?|capsules?|caps?|injections?|inhalers?|inhaled|inh|inhalation|evohaler|accuhaler|turbohaler|handihaler|\
        respimat|ellipta|easyhaler|hfa|mdi|nebuli[sz]ers?|nebules?|nebs?|spray|nasal|solution|suspension|syrup|elixir|cream|ointment|gel|\
        lotion|drops?|eye|patch(?:es)?|pen|pre-?filled|penfill|flexpen|kwikpen|solostar|vial|dose|doses|oral|orally|po|iv|im|sc|sq|subcut|\
        subcutaneous(?:ly)?|xr|xl|sr|er|mr|cr|cd|la|ec|ir|dr|odt|retard|zok|modified release|extended release|prolonged release|enteric coated|\
        chewable|dispersible|soluble|effervescent|sodium|potassium|calcium|magnesium|hydrochloride|hcl|besylate|besilate|succinate|tartrate|\
        maleate|fumarate|mesylate|mesilate|phosphate|sulphate|sulfate|bromide|acetate|citrate|dihydrate|medoxomil|cilexetil|axetil|etexilate|\
        propionate|furoate|dipropionate|valerate|monohydrate|trihydrate|erbumine|arginine|proxetil|alfa|beta|junior|forte|plus|infusion|bolus|\
        (?:increased|reduced|decreased|uptitrated|titrated|up|down|back)(?:\\s(?:from\\s[\\d.,]{1,8}\\s?(?:mg|mcg|g|units)\\s)?to)?|to|at|of|now|currently|new|\
        (?:a|the|once|current|total|daily|starting|loading|maintenance|stat) dose(?: of)?|started at|depot|once|continue|continued|added|commenced|started|was|is|has been|take|given|x|\
        (?:½|half|one half|one|two|three|[1-4]\\s|1/2)(?:\\s(?:of )?an?)?\\s?(?:x|×|tablets?|tabs?|capsules?|caps?|puffs?|of)?(?:\\sof)?(?:\\sa)?|(?:2|3|4)\\s?x";
    let between = format!(r"[\s:,|–-]{{0,12}}(?:(?:{filler})\b\.?|×|½|\([^()\n]{{1,40}}\))");
    let amount = r"\d{1,6}(?:[.,]\d{1,4}){0,2}(?:\s?(?:[-–/]|to)\s?\d{1,6}(?:[.,]\d{1,4})?){0,2}";
    let unit = "(?:mg|milligrams?|mcg|micrograms?|micrograms|µg|μg|ug|grams?|gr|g|units?|iu|i\\.u\\.|ie|ml|meq|mmol|nanograms?|puffs?|sprays?|sachets?|drops?|%)";
    let per = r"(?:\s?/\s?(?:\d{1,6}(?:[.,]\d{1,4})?\s?(?:mg|mcg|micrograms?|g|units?|iu)|ml|day|h|hr|hour|kg|puff|dose|actuation|\d{1,4}\s?(?:m[lg]|h|hours?)))?";
    let strength =
        format!(r"(?i)^(?:{between}){{0,5}}[\s:,|(–-]{{0,16}}({amount})\s?({unit}{per})(?:\b|$|[\s,.;)|])");
    let count = r"(?i)^[\s:,|(–-]{0,6}((?:one half|half(?: of)?(?: an?)?|½|one|two|three|four|\d{1,2}(?:\s?[-–]\s?\d{1,2})?|1/2)\s(?:tablets?|tabs?|capsules?|caps?|puffs?|sachets?|drops?|sprays?|patch|patches|ampoules?|vials?|lozenges?|suppositor(?:y|ies)|scoops?|spoonfuls?))\b";
    Dose {
        strength: Regex::new(&strength).expect("the pattern is fixed"),
        count: Regex::new(count).expect("the pattern is fixed"),
    }
});

static FREQUENCIES: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    let word = |pattern: &str| {
        Regex::new(&format!(r"(?i)(?:^|[\s,(|;/x])(?:{pattern})(?:[\s,.;)|/]|$)"))
            .expect("the pattern is fixed")
    };
    [
        (r"four times (?:a|per|each) day|four times daily|4 times (?:a day|daily)|4x/day|4x daily|q\.?i\.?d\.?|q\.?d\.?s\.?", "four times daily"),
        (r"three times (?:a|per|each) day|three times daily|3 times (?:a day|daily)|3x/day|3x daily|thrice daily|t\.?i\.?d\.?|t\.?d\.?s\.?", "three times daily"),
        (r"twice (?:a|per|each) day|twice daily|two times (?:a day|daily)|2 times (?:a day|daily)|2x/day|2x daily|b\.?i\.?d\.?|b\.?d\.?", "twice daily"),
        (r"every other day|on alternate days|alternate days|q\.?o\.?d\.?", "every other day"),
        (r"twice (?:a|per|each) week|twice weekly|2x/week", "twice weekly"),
        (r"three times (?:a|per|each) week|three times weekly|3x/week", "three times weekly"),
        (r"every (?:two|2) weeks|fortnightly", "every 2 weeks"),
        (r"(?:once|one) (?:a|per|each) week|once weekly|one weekly|every week|each week|weekly|qwk|q week", "weekly"),
        (r"every (?:three|3) months|3[ -]monthly|three[ -]monthly", "every 3 months"),
        (r"every (?:six|6) months|6[ -]monthly|six[ -]monthly|twice a year", "every 6 months"),
        (r"once (?:a|per|each) month|once monthly|every month|monthly|every (?:four|4) weeks", "monthly"),
        (r"once (?:a|per|each) year|once yearly|yearly|annually", "yearly"),
        (r"at night|at bedtime|in the evening|every evening|nightly|before bed|nocte|q\.?h\.?s\.?|h\.?s\.?|(?-i:ON)|qpm", "at night"),
        (r"in the morning|every morning|each morning|mane|o\.?m\.?|q\.?a\.?m\.?", "in the morning"),
        (r"once (?:a|per|each) day|once daily|one daily|every day|each day|daily|q\.?d\.?|o\.?d\.?|1x daily|1x/day|/day", "once daily"),
    ]
    .into_iter()
    .map(|(pattern, frequency)| (word(pattern), frequency))
    .collect()
});
static EVERY_HOURS: LazyLock<Regex> = LazyLock::new(|| {
    let hours = r"(?i)\b(?:q\s?(\d{1,2})(?:\s?[-–]\s?(\d{1,2}))?\s?h(?:rs?|ours?|ourly)?|every (\d{1,2})(?:\s?[-–]\s?(\d{1,2}))? ?(?:h|hrs?|hours?)|(\d{1,2})[ -]?hourly)\b";
    Regex::new(hours).expect("the pattern is fixed")
});
// Morning, noon, evening and perhaps night, as written on the continent.
static SCHEME: LazyLock<Regex> = LazyLock::new(|| {
    let part = "(?:[0-9]{1,2}|½|1/2|0[.,]5)";
    let scheme = format!(
        r"(?:^|[\s,(|])({part})\s?[-–]\s?({part})\s?[-–]\s?({part})(?:\s?[-–]\s?({part}))?(?:[\s,.;)|]|$)"
    );
    Regex::new(&scheme).expect("the pattern is fixed")
});
static AS_NEEDED: LazyLock<Regex> = LazyLock::new(|| {
    let needed = r"(?i)\b(?:p\.?r\.?n\b|as needed|as required|when needed|when required|if needed|if required|if necessary|as necessary|when necessary|on demand|s\.?o\.?s\.?\b)";
    Regex::new(needed).expect("the pattern is fixed")
});
static ROUTES: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    let word = |pattern: &str| {
        Regex::new(&format!(r"(?i)(?:^|[\s,(|])(?:{pattern})(?:[\s,.;)|]|$)")).expect("the pattern is fixed")
    };
    [
        (r"p\.?o\.?|oral|orally|by mouth|per os", "oral"),
        (r"i\.?v\.?|intravenous|intravenously|iv infusion|infusion", "intravenous"),
        (r"i\.?m\.?|intramuscular|intramuscularly", "intramuscular"),
        (r"s\.?c\.?|s/c|s\.?q\.?|sub-?cut|subcutaneous|subcutaneously|sub q", "subcutaneous"),
        (r"s\.?l\.?|sublingual|sublingually", "sublingual"),
        (r"inh|inhaler|inhaled|inhalation|hfa|mdi|puffs?|evohaler|accuhaler|turbohaler|nebuli[sz]ed|nebuli[sz]ers?|nebs?|nebules?|respimat|handihaler", "inhaled"),
        (r"p\.?r\.?|rectal|rectally|suppository|enema", "rectal"),
        (r"nasal spray|intranasal|nasal|each nostril", "nasal"),
        (r"eye drops?|both eyes|right eye|left eye|ophthalmic", "eye"),
        (r"ear drops?|otic", "ear"),
        (r"patch|patches|transdermal", "transdermal"),
        (r"cream|ointment|gel|lotion|topical|topically|apply", "topical"),
        (r"pessary|vaginal|vaginally|pv", "vaginal"),
        (r"ng|peg|via ng tube|via peg", "by tube"),
        (r"tablets?|tabs?|capsules?|caps?|syrup|oral solution|chewable", "oral"),
    ]
    .into_iter()
    .map(|(pattern, route)| (word(pattern), route))
    .collect()
});

impl Directions {
    /// Reads what stands behind a name, up to the next name or the end of the line.
    pub fn read(after: &str) -> Self {
        let near = &after[..after.floor_char_boundary(after.len().min(REACH))];
        let line = directed(near);
        Self {
            dose: dose(near),
            frequency: frequency(line),
            route: first_of(&ROUTES, line),
            as_needed: AS_NEEDED.is_match(line),
        }
    }

    /// Fills in what the medication does not have yet; the first directions win.
    pub fn complete(self, medication: &mut Medication) {
        if medication.dose.is_none() && medication.frequency.is_none() {
            medication.as_needed |= self.as_needed;
        }
        medication.dose = medication.dose.take().or(self.dose);
        medication.frequency = medication.frequency.take().or(self.frequency);
        medication.route = medication.route.take().or(self.route.map(str::to_owned));
    }
}

/// A wrapped line goes on in lower case; what follows a full stop or semicolon is about something else.
fn directed(near: &str) -> &str {
    let ends = near.match_indices(['\n', ';', '.']).find(|(at, mark)| {
        let after = &near[at + 1..];
        match *mark {
            "\n" => !after.starts_with(|letter: char| letter.is_lowercase()),
            "." => after.starts_with([' ', '\n']) && after.trim_start().starts_with(char::is_uppercase),
            _ => true,
        }
    });
    ends.map_or(near, |(at, _)| &near[..at])
}

fn dose(near: &str) -> Option<String> {
    if let Some(parts) = DOSE.strength.captures(near) {
        let amount: String = parts[1].chars().filter(|letter| !letter.is_whitespace()).collect();
        let unit: String = parts[2].split_whitespace().collect::<Vec<_>>().join(" ");
        return Some(format!("{} {unit}", amount.replace("to", "-")));
    }
    let parts = DOSE.count.captures(near)?;
    Some(parts[1].split_whitespace().collect::<Vec<_>>().join(" "))
}

fn frequency(line: &str) -> Option<String> {
    if let Some(parts) = SCHEME.captures(line) {
        let doses: Vec<&str> = parts.iter().skip(1).flatten().map(|part| part.as_str()).collect();
        return Some(doses.join("-"));
    }
    if let Some(parts) = EVERY_HOURS.captures(line) {
        let hours: Vec<&str> = parts.iter().skip(1).flatten().map(|part| part.as_str()).collect();
        return Some(format!("every {} hours", hours.join("-")));
    }
    first_of(&FREQUENCIES, line).map(str::to_owned)
}

/// Gives what the pattern that matches first in the line stands for; the first of the list on a draw.
fn first_of(patterns: &[(Regex, &'static str)], line: &str) -> Option<&'static str> {
    let places =
        patterns.iter().filter_map(|(pattern, meaning)| Some((pattern.find(line)?.start(), *meaning)));
    places.min_by_key(|(at, _)| *at).map(|(_, meaning)| meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(after: &str) -> (Option<String>, Option<String>, Option<&'static str>, bool) {
        let Directions { dose, frequency, route, as_needed } = Directions::read(after);
        (dose, frequency, route, as_needed)
    }

    fn doses(after: &str) -> String {
        read(after).0.unwrap_or_default()
    }

    fn frequencies(after: &str) -> String {
        read(after).1.unwrap_or_default()
    }

    #[test]
    fn a_dose_is_read_in_every_way_it_is_written() {
        for (after, dose) in [
            (" 500 mg", "500 mg"),
            (" 75mcg tablets", "75 mcg"),
            (" 75 microgram tablets one daily", "75 microgram"),
            (": 18 units", "18 units"),
            (" 6-10 units with meals", "6-10 units"),
            (" 5 to 10 mg", "5-10 mg"),
            (" 10 mg/5 mL", "10 mg/5 mL"),
            (" 50 micrograms/ml one drop", "50 micrograms/ml"),
            (" 1.5 g/400 units bd", "1.5 g/400 units"),
            (" 0.75% gel", "0.75 %"),
            (" | 10 mg | PO", "10 mg"),
            (" 25/100 mg, half a tablet", "25/100 mg"),
            (" 1,000 mg", "1,000 mg"),
            (" 0,4 mg 0-0-1", "0,4 mg"),
            (" increased to 10 mg", "10 mg"),
            (" increased from 5 mg to 10 mg", "10 mg"),
            (" half a tablet daily", "half a tablet"),
            (" 1 sachet bd", "1 sachet"),
            (" ½ tablet of 25 mg daily", "25 mg"),
            (" 2 x 50 mg daily", "50 mg"),
            (" patch 25 mcg/h every 72 hours", "25 mcg/h"),
        ] {
            assert_eq!(doses(after), dose, "{after}");
        }
        assert_eq!(doses(" and bisoprolol 5 mg"), "");
    }

    #[test]
    fn how_often_is_read_in_every_way_it_is_written() {
        for (after, frequency) in [
            (" 5 mg BID", "twice daily"),
            (" 5 mg b.d.", "twice daily"),
            (" 1 g qds prn", "four times daily"),
            (" 1 g TID", "three times daily"),
            (" 4 mg q8h", "every 8 hours"),
            (" 4 mg q4-6h prn", "every 4-6 hours"),
            (" 25 mcg/h every 72 hours", "every 72 hours"),
            (" 5 mg 1-0-1", "1-0-1"),
            (" 5 mg 1 - 0 - 0", "1-0-0"),
            (" 5 mg ½-0-½-0", "½-0-½-0"),
            (" 70 mg once weekly", "weekly"),
            (" 20 mg nocte", "at night"),
            (" 20 mg ON", "at night"),
            (" 20 mg OD", "once daily"),
            (" 20 mg PO daily", "once daily"),
            (" 20 mg qhs", "at night"),
            (" 4 mg IV every six months", "every 6 months"),
        ] {
            assert_eq!(frequencies(after), frequency, "{after}");
        }
        assert_eq!(read(" 5 mg\nDaily walks. Bread 1-0-1").1, None);
    }

    #[test]
    fn the_way_and_the_need_are_read() {
        assert_eq!(read(" 4 mg IV q8h PRN").2, Some("intravenous"));
        assert!(read(" 4 mg IV q8h PRN").3);
        assert_eq!(read(" 500mg tablets, two when required").2, Some("oral"));
        assert!(read(" 500mg tablets, two when required").3);
        assert_eq!(read(" 40 mg s/c od").2, Some("subcutaneous"));
        assert_eq!(read(" 100 mcg two puffs bd").2, Some("inhaled"));
        assert_eq!(read(" 5 mg").2, None);
    }
}
