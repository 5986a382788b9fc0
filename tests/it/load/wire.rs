//! Answers and frames are read alike, however the network cuts them.

use super::program::wire::{Answer, Frame, Frames, Stamp};

const STAMP: Stamp = Stamp { sent_ns: 123_456_789_012, number: 7, channel: 42, run: 2 };

/// Reads an answer in pieces of `size` bytes and gives its body.
fn body(raw: &[u8], size: usize) -> (Answer, Vec<u8>) {
    let (mut answer, mut body) = (Answer::default(), Vec::new());
    for mut piece in raw.chunks(size) {
        while let Some(part) = answer.next_piece(&mut piece).unwrap() {
            body.extend_from_slice(part);
        }
    }
    (answer, body)
}

fn frames(text: &str, size: usize) -> (Vec<Frame>, Vec<u8>) {
    let (mut frames, mut told) = (Frames::default(), Vec::new());
    for piece in text.as_bytes().chunks(size) {
        frames.feed(piece, &mut |frame| told.push(frame));
    }
    (told, frames.last_id().to_vec())
}

#[test]
fn a_body_is_read_by_chunks_by_length_or_to_the_end_wherever_it_is_cut() {
    let head = "HTTP/1.1 200 OK\r\nServer: a\r\n";
    let chunked =
        format!("{head}Transfer-Encoding: chunked\r\n\r\n5;x=1\r\nhello\r\n6\r\n world\r\n0\r\nT: v\r\n\r\n");
    let sized = format!("{head}content-length: 11\r\n\r\nhello world");
    let until_close = format!("{head}\r\nhello world");
    for (raw, ends) in [(chunked, true), (sized, true), (until_close, false)] {
        for size in 1..=raw.len() {
            let (answer, body) = body(raw.as_bytes(), size);

            assert_eq!(body, b"hello world", "{raw} in pieces of {size}");
            assert_eq!((answer.status(), answer.is_done()), (Some(200), ends), "{raw} in pieces of {size}");
        }
    }
}

#[test]
fn an_answer_without_a_body_is_over_with_its_head() {
    for raw in ["HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"] {
        let (answer, body) = body(raw.as_bytes(), 3);

        assert!(answer.is_done() && body.is_empty(), "{raw}");
    }
}

#[test]
fn what_is_no_http_is_refused() {
    for raw in [
        "HTTP/1.0 200 OK\r\n\r\n",
        "hello\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabc\r\n",
    ] {
        let (mut answer, mut input) = (Answer::default(), raw.as_bytes());
        let error = std::iter::from_fn(|| answer.next_piece(&mut input).transpose()).find_map(Result::err);

        assert!(error.is_some(), "{raw:?} was read");
    }
}

#[test]
fn frames_are_told_apart_wherever_they_are_cut() {
    let field = STAMP.to_field();
    let text = format!(
        "retry: 1000\n\n: hello\n\nid: 5-0~idle.0\nevent: connected\ndata: {{}}\n\n\
         id: 6-0\r\nevent: progress\r\ndata: {{\"stage\":\"x\",{field},\"pad\":\"\"}}\r\n\r\n\
         data:{{{field}}}\n\nevent: heartbeat\ndata: {{}}\n\nevent: reconnect\ndata: {{}}\n\nid: 7-0\n\nda"
    );
    let expected = [
        Frame::Comment,
        Frame::Connected,
        Frame::Stamped(STAMP),
        Frame::Stamped(STAMP),
        Frame::Other,
        Frame::Reconnect,
    ];
    for size in 1..=text.len() {
        let (told, last_id) = frames(&text, size);

        assert_eq!(told, expected, "in pieces of {size}");
        assert_eq!(last_id, b"7-0");
    }
}

#[test]
fn a_stamp_that_is_not_whole_is_none() {
    assert_eq!(Stamp::find(STAMP.to_field().as_bytes()), Some(STAMP));
    for line in ["", "\"stamp\":[", "\"stamp\":[1,2,3]", "\"stamp\":[1,2,3,-4]", "\"stamp\":[1,2,3,4"] {
        assert_eq!(Stamp::find(line.as_bytes()), None, "{line:?}");
    }
}
