//! Files that the page hands over as Blobs: dropped, picked, kept in the browser or fetched. A range is read at a time, so
//! that a file is never in the worker's memory as a whole.

use std::borrow::Cow;
use std::io;
use std::ops::Range;

use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Blob, FileReaderSync};

use crate::model::source::Source;

pub struct BlobSource(pub Blob);

impl Source for BlobSource {
    fn size(&self) -> u64 {
        self.0.size() as u64
    }

    fn read(&self, range: Range<u64>) -> io::Result<Cow<'_, [u8]>> {
        let failed = |error: JsValue| {
            let message = error.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message()));
            io::Error::other(message.unwrap_or_else(|| "the browser cannot read it".into()))
        };
        if range.start > range.end || range.end > self.size() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // Numbers of JavaScript hold the size of any file.
        let part = self.0.slice_with_f64_and_f64(range.start as f64, range.end as f64).map_err(failed)?;
        let reader = FileReaderSync::new().map_err(failed)?;
        let buffer = reader.read_as_array_buffer(&part).map_err(failed)?;
        Ok(Cow::Owned(Uint8Array::new(&buffer).to_vec()))
    }
}
