//! Memory for the parts of an upload, used again and again: allocators keep much of what large
//! blocks on changing threads once took.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Buffers that nobody uses.
#[derive(Clone, Debug, Default)]
pub struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    /// A buffer of so many bytes, with any content.
    pub fn take(&self, length: usize) -> Buffer {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = free.pop().unwrap_or_default();
        bytes.resize(length, 0);
        Buffer {
            bytes,
            home: self.clone(),
        }
    }
}

/// Goes back when it is dropped, also as [`Bytes`].
#[derive(Debug)]
pub struct Buffer {
    bytes: Vec<u8>,
    home: Buffers,
}

impl Buffer {
    /// What it holds.
    pub fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsMut<[u8]> for Buffer {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut free = self.home.0.lock().unwrap_or_else(PoisonError::into_inner);
        free.push(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again() {
        let buffers = Buffers::default();
        let first = buffers.take(1_000).into_bytes();
        let (at, copy) = (first.as_ptr(), first.clone());
        drop(first);
        assert_ne!(
            buffers.take(10).as_ref().as_ptr(),
            at,
            "a copy still uses it"
        );
        drop(copy);
        let again = [buffers.take(500), buffers.take(500)];
        assert!(again.iter().any(|buffer| buffer.as_ref().as_ptr() == at));
        assert!(again.iter().all(|buffer| buffer.as_ref().len() == 500));
    }
}
