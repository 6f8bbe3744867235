//! Lines of a bounded length.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

/// The longest line of the protocol, bytes, its newline included.
pub const MAX_LINE_BYTES: usize = 1 << 20;

/// Reads a line into `line`, without its newline; false at the end of the stream, also when that
/// comes within a line.
pub(crate) async fn read_line(
    from: &mut (impl AsyncBufRead + Unpin),
    line: &mut Vec<u8>,
) -> io::Result<bool> {
    line.clear();
    from.take(MAX_LINE_BYTES as u64)
        .read_until(b'\n', line)
        .await?;
    if line.pop_if(|last| *last == b'\n').is_some() {
        return Ok(true);
    }
    if line.len() >= MAX_LINE_BYTES {
        let message = format!("a line of the control protocol has over {MAX_LINE_BYTES} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(false)
}
