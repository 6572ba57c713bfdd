//! Files of which a range is read at a time, so that a model need not lie in memory twice.

use std::borrow::Cow;
use std::io;
use std::ops::Range;

/// A file's bytes: in memory, on disk, or a browser's Blob.
pub trait Source {
    /// Bytes in all.
    fn size(&self) -> u64;

    /// # Errors
    /// When the file does not give them.
    fn read(&self, range: Range<u64>) -> io::Result<Cow<'_, [u8]>>;
}

impl Source for &[u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read(&self, range: Range<u64>) -> io::Result<Cow<'_, [u8]>> {
        let place = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
        let bytes = place.and_then(|(start, end)| self.get(start..end));
        bytes.map(Cow::Borrowed).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

impl Source for Vec<u8> {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read(&self, range: Range<u64>) -> io::Result<Cow<'_, [u8]>> {
        Ok(Cow::Owned(self.as_slice().read(range)?.into_owned()))
    }
}

/// A file on disk.
#[cfg(not(target_arch = "wasm32"))]
pub struct OnDisk {
    file: std::cell::RefCell<std::fs::File>,
    size: u64,
}

#[cfg(not(target_arch = "wasm32"))]
impl OnDisk {
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: &std::path::Path) -> io::Result<Self> {
        let file = std::fs::File::open(path)?;
        let size = file.metadata()?.len();
        Ok(Self { file: file.into(), size })
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Source for OnDisk {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&self, range: Range<u64>) -> io::Result<Cow<'_, [u8]>> {
        use std::io::{Read, Seek, SeekFrom};
        let length = range.end.saturating_sub(range.start).min(self.size);
        let mut bytes = vec![0; length as usize];
        let mut file = self.file.borrow_mut();
        file.seek(SeekFrom::Start(range.start))?;
        file.read_exact(&mut bytes)?;
        Ok(Cow::Owned(bytes))
    }
}
