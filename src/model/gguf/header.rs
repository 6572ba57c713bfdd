//! The header of a GGUF file, walked against the file's length: nothing in it is believed before its bytes
//! are there, and nothing is allocated by a number that it only claims.
//!
//! Source: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

use std::collections::BTreeMap;

use super::FILE;
use crate::error::{Error, Result};
use crate::model::config_json::invalid;
use crate::model::encoding::Encoding;

/// A metadata value; texts and arrays stay where they lie in the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
    Text(&'a [u8]),
    Array(Array<'a>),
}

/// `count` consecutive values of type `kind`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Array<'a> {
    kind: u32,
    pub count: usize,
    bytes: &'a [u8],
}

/// Where a tensor lies, and how to read it.
#[derive(Clone, Debug)]
pub struct Tensor {
    /// Outermost first, as Hugging Face and candle have it.
    pub shape: Vec<usize>,
    pub encoding: Encoding,
    /// Where its bytes begin in the file, which has as many as shape and encoding ask for.
    pub offset: u64,
    /// Bytes.
    pub size: usize,
}

/// Everything the header says.
pub struct Header<'a> {
    pub values: BTreeMap<&'a str, Value<'a>>,
    pub tensors: BTreeMap<&'a str, Tensor>,
}

const TEXT: u32 = 8;
const ARRAY: u32 = 9;
const MOST_DIMENSIONS: u32 = 4;

fn damaged(field: &str, message: &str) -> Error {
    invalid(FILE, field, message, "It is damaged or no GGUF file; fetch it again")
}

impl<'a> Header<'a> {
    /// Walks the header in `bytes`, with which a file of `length` bytes begins.
    ///
    /// # Errors
    /// Whatever does not fit into `bytes`, or its numbers into the file, or is said twice; tensors that share bytes.
    pub fn read(bytes: &'a [u8], length: u64) -> Result<Self> {
        let mut reader = Reader { rest: bytes, field: "header" };
        if reader.take(4)? != b"GGUF" {
            return Err(damaged("header", "it does not begin with GGUF"));
        }
        let version = reader.u32()?;
        if !(2..=3).contains(&version) {
            let remedy = "Convert the model again with a current llama.cpp".to_string();
            return Err(Error::Unsupported { feature: format!("{FILE}: GGUF version {version}"), remedy });
        }
        let (tensors, values) = (reader.u64()?, reader.u64()?);
        let mut header = Header { values: BTreeMap::new(), tensors: BTreeMap::new() };
        for _ in 0..values {
            reader.field = "metadata";
            let name = reader.name()?;
            reader.field = name;
            let kind = reader.u32()?;
            if header.values.insert(name, reader.value(kind)?).is_some() {
                return Err(damaged(name, "given twice"));
            }
        }
        let alignment = match header.values.get("general.alignment") {
            None => 32,
            Some(Value::Unsigned(alignment @ 1..=65536)) => *alignment as usize,
            Some(_) => return Err(damaged("general.alignment", "no number from 1 to 65536")),
        };
        let mut places = Vec::new();
        for _ in 0..tensors {
            reader.field = "tensors";
            let name = reader.name()?;
            reader.field = name;
            places.push((name, reader.tensor()?));
        }
        let data = (bytes.len() - reader.rest.len()).next_multiple_of(alignment) as u64;
        places.sort_by_key(|(_, (_, _, offset))| *offset);
        let mut end = 0;
        for (name, (shape, encoding, offset)) in places {
            // In order, so that a byte belongs to one tensor and cannot be read many times over.
            if offset < end {
                return Err(damaged(name, "shares bytes with another tensor"));
            }
            let size =
                encoding.size(&shape).ok_or_else(|| damaged(name, &format!("shape {shape:?} is none")))?;
            let place = data
                .checked_add(offset)
                .filter(|from| from.checked_add(size as u64).is_some_and(|end| end <= length));
            let place = place.ok_or_else(|| damaged(name, "its numbers lie beyond the file's end"))?;
            end = offset + size as u64;
            if header.tensors.insert(name, Tensor { shape, encoding, offset: place, size }).is_some() {
                return Err(damaged(name, "given twice"));
            }
        }
        Ok(header)
    }
}

impl<'a> Array<'a> {
    /// The values as texts.
    ///
    /// # Errors
    /// For an array of anything else, or a text that is not UTF-8; `field` names the array.
    pub fn texts(self, field: &'a str) -> Result<impl Iterator<Item = Result<&'a str>>> {
        if self.kind != TEXT {
            return Err(damaged(field, "no list of texts"));
        }
        let mut reader = Reader { rest: self.bytes, field };
        let text = move |_| str::from_utf8(reader.text()?).map_err(|_| damaged(field, "a text is not UTF-8"));
        Ok((0..self.count).map(text))
    }

    /// The values as integers.
    ///
    /// # Errors
    /// For an array of anything else.
    pub fn integers(self, field: &'a str) -> Result<impl Iterator<Item = Result<i64>>> {
        let mut reader = Reader { rest: self.bytes, field };
        let integer = move |_| match reader.value(self.kind)? {
            Value::Unsigned(number) => {
                i64::try_from(number).map_err(|_| damaged(field, "a number is too large"))
            }
            Value::Signed(number) => Ok(number),
            _ => Err(damaged(field, "no list of integers")),
        };
        Ok((0..self.count).map(integer))
    }
}

/// What is left of the file, and what is being read.
struct Reader<'a> {
    rest: &'a [u8],
    field: &'a str,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: u64) -> Result<&'a [u8]> {
        let split = usize::try_from(count).ok().and_then(|count| self.rest.split_at_checked(count));
        let (taken, rest) = split.ok_or_else(|| damaged(self.field, "the file ends inside it"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N as u64)?);
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.number()?))
    }

    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.number()?))
    }

    /// A text without the zeros that some writers end it with.
    fn text(&mut self) -> Result<&'a [u8]> {
        let length = self.u64()?;
        let text = self.take(length)?;
        Ok(&text[..text.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)])
    }

    fn name(&mut self) -> Result<&'a str> {
        let field = self.field;
        str::from_utf8(self.text()?).map_err(|_| damaged(field, "a name is not UTF-8"))
    }

    fn value(&mut self, kind: u32) -> Result<Value<'a>> {
        Ok(match kind {
            0 => Value::Unsigned(u8::from_le_bytes(self.number()?).into()),
            1 => Value::Signed(i8::from_le_bytes(self.number()?).into()),
            2 => Value::Unsigned(u16::from_le_bytes(self.number()?).into()),
            3 => Value::Signed(i16::from_le_bytes(self.number()?).into()),
            4 => Value::Unsigned(self.u32()?.into()),
            5 => Value::Signed(i32::from_le_bytes(self.number()?).into()),
            6 => Value::Float(f32::from_le_bytes(self.number()?).into()),
            7 => Value::Bool(self.number::<1>()? != [0]),
            TEXT => Value::Text(self.text()?),
            ARRAY => self.array()?,
            10 => Value::Unsigned(self.u64()?),
            11 => Value::Signed(i64::from_le_bytes(self.number()?)),
            12 => Value::Float(f64::from_le_bytes(self.number()?)),
            _ => return Err(damaged(self.field, &format!("no value has the type {kind}"))),
        })
    }

    fn array(&mut self) -> Result<Value<'a>> {
        let (kind, count) = (self.u32()?, self.u64()?);
        let before = self.rest;
        let width = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            10..=12 => 8,
            TEXT => {
                for _ in 0..count {
                    self.text()?;
                }
                0
            }
            ARRAY => return Err(damaged(self.field, "a list of lists, which no known field is")),
            _ => return Err(damaged(self.field, &format!("no value has the type {kind}"))),
        };
        let bytes = count.checked_mul(width);
        self.take(bytes.ok_or_else(|| damaged(self.field, "the file ends inside it"))?)?;
        // Each value took bytes, so their count fits.
        Ok(Value::Array(Array {
            kind,
            count: count as usize,
            bytes: &before[..before.len() - self.rest.len()],
        }))
    }

    /// Shape, encoding and offset of a tensor.
    fn tensor(&mut self) -> Result<(Vec<usize>, Encoding, u64)> {
        let dimensions = self.u32()?;
        if !(1..=MOST_DIMENSIONS).contains(&dimensions) {
            return Err(damaged(self.field, &format!("{dimensions} dimensions")));
        }
        let mut shape = Vec::new();
        for _ in 0..dimensions {
            let size = usize::try_from(self.u64()?);
            shape.push(size.map_err(|_| damaged(self.field, "a dimension is too large"))?);
        }
        shape.reverse();
        let kind = self.u32()?;
        let encoding = Encoding::from_ggml(kind).ok_or_else(|| Error::Unsupported {
            feature: format!("{FILE}: {}: numbers of ggml type {kind}", self.field),
            remedy: "Use f32, f16, bf16, Q4_0 to Q8_0 or Q2_K to Q6_K".to_string(),
        })?;
        Ok((shape, encoding, self.u64()?))
    }
}
