//! Good input, spoiled step by step; where it breaks something, steps that it does not need are left out.

use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};

/// What parsers stumble over: ends of numbers, of texts, of lines, of nesting, and words of ours.
const WORDS: [&str; 40] = [
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "true",
    "-1",
    "0",
    "1e999",
    "-0.0",
    "9007199254740993",
    "18446744073709551615",
    "18446744073709551616",
    "\\u0000",
    "\\ud800",
    "\\",
    "\n",
    "\r\n",
    "\0",
    "\u{2028}",
    "\u{85}",
    "\u{feff}",
    "\n\nevent: done\ndata: {}\n\n",
    "~done.",
    "~idle.",
    "-",
    ".",
    "%00",
    "=",
    "&",
    "document_id",
    "stage",
    "failed",
    "result",
    "error",
    "[[[[[[[[[[[[[[[[",
    "ERR quota exceeded",
];
/// Longest input in bytes: above what any border takes.
const LONGEST: usize = 40 * 1_024;

#[derive(Clone, Debug)]
enum Step {
    Set(Index, u8),
    Insert(Index, &'static str),
    Remove(Index, Index),
    Repeat(Index, Index, u16),
    Cut(Index),
    /// Puts in a part of another example.
    Graft(Index, usize, Index, Index),
}

/// Gives variants of `seeds`, a few of them as they are.
pub(super) fn variants_of(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let count = seeds.len();
    (0..count, vec(step(count), 0..7)).prop_map(move |(seed, steps)| {
        let mut input = seeds[seed].clone();
        for step in &steps {
            apply(step, &mut input, &seeds);
            input.truncate(LONGEST);
        }
        input
    })
}

fn step(seeds: usize) -> impl Strategy<Value = Step> {
    let index = || any::<Index>();
    prop_oneof![
        3 => (index(), any::<u8>()).prop_map(|(at, byte)| Step::Set(at, byte)),
        4 => (index(), select(&WORDS[..])).prop_map(|(at, word)| Step::Insert(at, word)),
        3 => (index(), index()).prop_map(|(from, to)| Step::Remove(from, to)),
        1 => (index(), index(), 2..400_u16).prop_map(|(from, to, times)| Step::Repeat(from, to, times)),
        1 => index().prop_map(Step::Cut),
        2 => (index(), 0..seeds, index(), index()).prop_map(|(at, seed, from, to)| Step::Graft(at, seed, from, to)),
    ]
}

fn apply(step: &Step, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
    let place = |index: &Index, length: usize| index.index(length + 1);
    let range = |from: &Index, to: &Index, length: usize| {
        let (from, to) = (place(from, length), place(to, length));
        from.min(to)..from.max(to)
    };
    let length = input.len();
    match step {
        Step::Set(at, byte) => {
            if length > 0 {
                input[at.index(length)] = *byte;
            }
        }
        Step::Insert(at, word) => {
            let at = place(at, length);
            input.splice(at..at, word.bytes());
        }
        Step::Remove(from, to) => drop(input.drain(range(from, to, length))),
        Step::Repeat(from, to, times) => {
            let range = range(from, to, length);
            let more = input[range.clone()].repeat(usize::from(*times).min(LONGEST / range.len().max(1)));
            input.splice(range.end..range.end, more);
        }
        Step::Cut(at) => input.truncate(place(at, length)),
        Step::Graft(at, seed, from, to) => {
            let other = &seeds[*seed];
            let (at, part) = (place(at, length), other[range(from, to, other.len())].to_vec());
            input.splice(at..at, part);
        }
    }
}
