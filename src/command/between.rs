//! Who stands between a server and its viewers, by the headers of an answer, and what cures it.

use reqwest::header::HeaderMap;
use std::time::Duration;

/// A proxy, platform or nobody known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Between {
    Cloudflare,
    Nginx,
    Vercel,
    /// Some other proxy, or none.
    Unknown,
}

impl Between {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let server = headers.get("server").and_then(|server| server.to_str().ok()).unwrap_or_default();
        // Whoever is nearest to the viewer is asked first.
        if headers.contains_key("cf-ray") {
            Self::Cloudflare
        } else if headers.contains_key("x-vercel-id") {
            Self::Vercel
        } else if server.starts_with("nginx") || server.starts_with("openresty") {
            Self::Nginx
        } else {
            Self::Unknown
        }
    }

    /// Begins a line with the name, where one is known.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Cloudflare => "through Cloudflare, ",
            Self::Nginx => "through nginx, ",
            Self::Vercel => "through Vercel, ",
            Self::Unknown => "",
        }
    }

    /// What to do about a stream that is held back.
    pub(super) const fn unbuffer(self) -> &'static str {
        match self {
            Self::Nginx => {
                "nginx: set `proxy_buffering off;` for this location, and take `X-Accel-Buffering` out of \
                 proxy_ignore_headers (docs/deploy/nginx.conf)"
            }
            Self::Cloudflare => {
                "Cloudflare: take this path out of rules that rewrite or scan bodies, and look at the proxy \
                 behind it, too"
            }
            Self::Vercel => {
                "Vercel: the route has to lead to the function of this project (docs/deploy/vercel.md), or \
                 be rewritten to a server that streams"
            }
            Self::Unknown => {
                "Whatever proxy stands in front must not buffer text/event-stream; servers of frameworks \
                 that rewrite requests often compress, and hold back what they compress"
            }
        }
    }

    /// What to do about a stream that is compressed.
    pub(super) const fn uncompress(self) -> &'static str {
        match self {
            Self::Nginx => {
                "nginx: take text/event-stream out of gzip_types, or set `gzip off;` for this location"
            }
            Self::Cloudflare => "Cloudflare: a compression rule has to leave out text/event-stream",
            Self::Vercel | Self::Unknown => {
                "Whatever compresses in front (Next.js: `compress: false`; Express: the filter of \
                 compression) has to leave out text/event-stream"
            }
        }
    }

    /// What to do about a stream that is cut after `silence`.
    pub(super) fn outlast(self, silence: Duration) -> String {
        // Less than a heartbeat's pause: not the silence was too long, but the whole.
        if silence < Duration::from_millis(500) {
            return "It was not silent: something limits how long a whole answer may take; set \
                    STREAM_MAX_SECONDS below that"
                .into();
        }
        match self {
            Self::Nginx => {
                "nginx: proxy_read_timeout has to be longer than HEARTBEAT_INTERVAL_MS (5 s); 60s is \
                            the default"
                    .into()
            }
            _ => {
                "Something gives up on silence: raise its idle timeout above HEARTBEAT_INTERVAL_MS (5 s), or \
                  lower that"
                    .into()
            }
        }
    }
}
