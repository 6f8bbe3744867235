use std::io;

/// Gives way to other processes: `nice` is 0 (as they) to 19 (last). Threads that are begun later
/// inherit it. What it reads and writes gives way likewise: without an I/O priority of its own a
/// thread's follows its `nice` (ioprio_set(2)).
pub fn lower_priority(nice: i32) -> io::Result<()> {
    rustix::process::setpriority_process(None, nice)?;
    Ok(())
}
