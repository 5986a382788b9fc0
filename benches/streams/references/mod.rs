//! What Tidings is compared with. Both run as processes of their own, out of this program.
//!
//! They publish by `POST /publish/{channel}` and stream at `GET /stream/{channel}`.

pub mod baseline;
pub mod floor;

use std::io::Read;

/// Says where a reference listens, as the server does.
fn greet(name: &str, address: std::net::SocketAddr) {
    println!("{name} serves http://{address}/");
}

/// Ends this process when the one that started it goes: its end of the pipe closes then.
pub fn end_with_parent() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
}
