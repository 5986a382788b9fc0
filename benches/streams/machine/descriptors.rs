//! Each viewer holds an open file here and another in the server.

use anyhow::ensure;

/// What is held beside viewers: pipes, publishers, the server's database.
const BESIDE: usize = 200;

/// Raises the limit of open files; the server inherits it.
///
/// # Errors
/// When the hard limit is too low for so many viewers.
pub fn have_descriptors(viewers: usize) -> anyhow::Result<()> {
    let limit = usize::try_from(rlimit::increase_nofile_limit(u64::MAX)?).unwrap_or(usize::MAX);
    ensure!(
        viewers + BESIDE <= limit,
        "{viewers} viewers need {} open files, the hard limit is {limit}: raise it (ulimit -Hn), leave the \
         workload out (--only), or take --quick",
        viewers + BESIDE
    );
    Ok(())
}
