//! Parts of files as streams.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};

use crate::StoreError;
use crate::work::{blocking, failed};

/// Bytes of a recording that are read at once.
const CHUNK: u64 = 256 << 10;

/// The bytes of `range` of the file at `path`; `name` is what errors call it.
///
/// # Errors
/// There is no such file, or it cannot be opened.
pub async fn read_file(
    path: &Path,
    name: &str,
    range: Range<u64>,
) -> Result<BoxStream<'static, Result<Bytes, StoreError>>, StoreError> {
    let path = path.to_owned();
    match blocking(name, move || File::open(path)).await? {
        Ok(file) => Ok(chunks(file, range, name.to_owned()).boxed()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(StoreError::NotFound(name.into()))
        }
        Err(error) => Err(failed("read", name, error)),
    }
}

/// The bytes of `range` of an open file, in chunks, read off the caller's thread.
pub(super) fn chunks(
    file: File,
    range: Range<u64>,
    name: String,
) -> impl futures_util::Stream<Item = Result<Bytes, StoreError>> + Send {
    stream::try_unfold((file, range.start), move |(mut file, position)| {
        let (name, end) = (name.clone(), range.end);
        async move {
            if position >= end {
                return Ok(None);
            }
            let length = CHUNK.min(end - position);
            let read = move || -> io::Result<(File, Bytes)> {
                let mut buffer = vec![0; length as usize];
                file.seek(SeekFrom::Start(position))?;
                file.read_exact(&mut buffer)?;
                Ok((file, buffer.into()))
            };
            let (file, bytes) = blocking(&name, read)
                .await?
                .map_err(|error| failed("read", &name, error))?;
            Ok(Some((bytes, (file, position + length))))
        }
    })
}
