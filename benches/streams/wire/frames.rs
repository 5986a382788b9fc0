//! Reads Server-Sent Events as they arrive: only what is counted, so that reading costs little.

use super::stamp::Stamp;

/// What one frame was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// An event of ours.
    Stamped(Stamp),
    /// The greeting of Tidings: the stream is up.
    Connected,
    /// The server asks to come back.
    Reconnect,
    /// Any other event, such as a heartbeat.
    Other,
    Comment,
}

/// Frames on their way in.
#[derive(Debug, Default)]
pub struct Frames {
    /// The line under way, where a piece ended within it.
    line: Vec<u8>,
    name: Name,
    stamp: Option<Stamp>,
    has_data: bool,
    id: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Name {
    #[default]
    Other,
    Connected,
    Reconnect,
}

impl Frames {
    /// Goes on behind the event `id`.
    pub fn behind(id: Vec<u8>) -> Self {
        Self { id, ..Self::default() }
    }

    /// Gives the id of the last event that had one.
    pub fn last_id(&self) -> &[u8] {
        &self.id
    }

    /// Reads a piece, and tells each frame that ends in it.
    pub fn feed(&mut self, mut piece: &[u8], tell: &mut impl FnMut(Frame)) {
        while let Some(end) = memchr::memchr(b'\n', piece) {
            if self.line.is_empty() {
                self.read_line(&piece[..end], tell);
            } else {
                self.line.extend_from_slice(&piece[..end]);
                let mut line = std::mem::take(&mut self.line);
                self.read_line(&line, tell);
                line.clear();
                self.line = line;
            }
            piece = &piece[end + 1..];
        }
        self.line.extend_from_slice(piece);
    }

    fn read_line(&mut self, line: &[u8], tell: &mut impl FnMut(Frame)) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Some(data) = line.strip_prefix(b"data:") {
            self.has_data = true;
            self.stamp = self.stamp.or_else(|| Stamp::find(data));
        } else if let Some(id) = line.strip_prefix(b"id:") {
            self.id.clear();
            self.id.extend_from_slice(id.trim_ascii());
        } else if let Some(name) = line.strip_prefix(b"event:") {
            self.name = match name.trim_ascii() {
                b"connected" => Name::Connected,
                b"reconnect" => Name::Reconnect,
                _ => Name::Other,
            };
        } else if line.starts_with(b":") {
            tell(Frame::Comment);
        } else if line.is_empty() {
            self.end_frame(tell);
        }
    }

    fn end_frame(&mut self, tell: &mut impl FnMut(Frame)) {
        let (name, stamp) = (std::mem::take(&mut self.name), self.stamp.take());
        if std::mem::take(&mut self.has_data) {
            tell(match (stamp, name) {
                (Some(stamp), _) => Frame::Stamped(stamp),
                (None, Name::Connected) => Frame::Connected,
                (None, Name::Reconnect) => Frame::Reconnect,
                (None, Name::Other) => Frame::Other,
            });
        }
    }
}
