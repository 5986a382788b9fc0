//! Tidings in this program, as its own command runs it, telling each second how many tasks it has.

use std::{io::Write, time::Duration};

use tidings::{
    bind,
    config::{Config, Variables},
    raise_descriptor_limit,
};
use tokio_util::sync::CancellationToken;

const EACH: Duration = Duration::from_millis(200);

/// Serves until the process that started this one is gone.
pub fn run() -> anyhow::Result<()> {
    super::references::end_with_parent();
    let config = Config::read(&Variables::of_process())?;
    let _ = raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let metrics = runtime.handle().metrics();
    runtime.block_on(async {
        let listener = bind((config.server.host, config.server.port).into())?;
        println!("Tidings serves http://{}/", listener.local_addr()?);
        std::thread::spawn(move || {
            // A pipe nobody reads any more ends this thread.
            while writeln!(std::io::stdout(), "{}", metrics.num_alive_tasks()).is_ok() {
                std::thread::sleep(EACH);
            }
        });
        tidings::run(config, listener, CancellationToken::new()).await
    })
}
