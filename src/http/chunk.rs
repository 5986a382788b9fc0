//! A frame as one chunk of HTTP/1.1: what a bare socket is sent, in one call and without copying.
//!
//! The chunk is kept, and the frame alone is a part of it: of the two only the chunk has to be whole in memory.

use bytes::Bytes;

const LINE_END: &[u8] = b"\r\n";

/// Puts `frame` into a chunk.
pub(super) fn wrap(frame: &[u8]) -> Bytes {
    let head = format!("{:x}\r\n", frame.len());
    [head.as_bytes(), frame, LINE_END].concat().into()
}

/// Takes the frame out of its chunk.
pub(super) fn unwrap(chunk: &Bytes) -> Bytes {
    let head = chunk.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    chunk.slice(head..chunk.len() - LINE_END.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_says_its_size_in_hexadecimal_digits() {
        assert_eq!(wrap(b"retry: 1000\n\n"), &b"d\r\nretry: 1000\n\n\r\n"[..]);
        assert_eq!(wrap(&[b'x'; 256])[..5], *b"100\r\n");
    }

    #[test]
    fn a_frame_comes_out_of_its_chunk_as_it_went_in() {
        for size in [1, 15, 16, 255, 4_096, 70_000] {
            let frame = b"\r\n".repeat(size);

            assert_eq!(unwrap(&wrap(&frame)), frame);
        }
    }
}
