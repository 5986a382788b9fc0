//! Reads words out of a URL: its path, and what follows the question mark.

/// Gives the parts of a path as the bytes they stand for: `/get/a%20b` is `get` and `a b`.
pub(super) fn parts(path: &str) -> Vec<Vec<u8>> {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split('/').map(decode).collect()
}

/// Gives what follows a command in the query, `?EX=100&NX` as `EX`, `100`, `NX`, but not the token.
pub(super) fn query_words(query: &str) -> Vec<Vec<u8>> {
    let pairs = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "_token");
    let words = pairs.flat_map(|(name, value)| [name, value]);
    words.filter(|word| !word.is_empty()).map(|word| word.into_owned().into_bytes()).collect()
}

/// Gives the token in the query.
pub(super) fn token(query: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find(|(name, _)| name == "_token").map(|(_, value)| value.into_owned())
}

fn decode(part: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = if *first == b'%' { after.get(..2).and_then(hex) } else { None };
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    bytes
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    u8::try_from(digit(digits[0])? << 4 | digit(digits[1])?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_split_before_it_is_decoded() {
        assert_eq!(parts("/set/a%2Fb/1+1"), [&b"set"[..], b"a/b", b"1+1"]);
        assert_eq!(parts("/get/%ff%C3%a4"), [&b"get"[..], &[0xff, 0xc3, 0xa4]]);
        assert_eq!(parts("/set/a/"), [&b"set"[..], b"a", b""]);
        assert_eq!(parts("/get/100%/%2"), [&b"get"[..], b"100%", b"%2"]);
        assert_eq!(parts("/"), [b""]);
    }

    #[test]
    fn the_query_follows_in_order_without_the_token() {
        assert_eq!(query_words("EX=100&_token=t&NX"), [&b"EX"[..], b"100", b"NX"]);
        assert_eq!(token("EX=100&_token=a%20b").as_deref(), Some("a b"));
        assert_eq!(token("EX=100"), None);
    }
}
