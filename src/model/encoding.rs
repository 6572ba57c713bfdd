//! How files hold a tensor's numbers, and how these become f32.

use candle_core::Device;
use candle_core::quantized::GgmlDType;
use candle_core::quantized::ggml_file::qtensor_from_ggml;
use half::{bf16, f16};
use safetensors::Dtype;

use crate::error::Result;

/// Numbers that are dequantised at a time: a multiple of every block.
const CHUNK: usize = 1 << 16;

/// How a tensor's numbers are encoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Encoding(GgmlDType);

impl Encoding {
    /// By ggml's number of the type; `None` for one that candle does not read.
    pub fn from_ggml(kind: u32) -> Option<Self> {
        Some(Self(match kind {
            0 => GgmlDType::F32,
            1 => GgmlDType::F16,
            2 => GgmlDType::Q4_0,
            3 => GgmlDType::Q4_1,
            6 => GgmlDType::Q5_0,
            7 => GgmlDType::Q5_1,
            8 => GgmlDType::Q8_0,
            10 => GgmlDType::Q2K,
            11 => GgmlDType::Q3K,
            12 => GgmlDType::Q4K,
            13 => GgmlDType::Q5K,
            14 => GgmlDType::Q6K,
            30 => GgmlDType::BF16,
            _ => return None,
        }))
    }

    /// Of a safetensors file; `None` for one that is not read.
    pub fn from_safetensors(dtype: Dtype) -> Option<Self> {
        Some(Self(match dtype {
            Dtype::F32 => GgmlDType::F32,
            Dtype::F16 => GgmlDType::F16,
            Dtype::BF16 => GgmlDType::BF16,
            _ => return None,
        }))
    }

    /// Bytes of a tensor; `None` where a row is no whole number of blocks or the number too large.
    pub fn size(self, shape: &[usize]) -> Option<usize> {
        let Self(kind) = self;
        let row = shape.last()?;
        let count = shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size))?;
        match row.is_multiple_of(kind.block_size()) {
            true => (count / kind.block_size()).checked_mul(kind.type_size()),
            false => None,
        }
    }

    /// The numbers of `bytes`, whole blocks.
    pub fn decode(self, bytes: &[u8]) -> Result<Vec<f32>> {
        let Self(kind) = self;
        match kind {
            GgmlDType::F32 => return Ok(each(bytes, f32::from_le_bytes)),
            GgmlDType::F16 => return Ok(each(bytes, |pair| f16::from_le_bytes(pair).to_f32())),
            GgmlDType::BF16 => return Ok(each(bytes, |pair| bf16::from_le_bytes(pair).to_f32())),
            _ => {}
        }
        let (width, size) = (kind.block_size(), kind.type_size());
        let mut numbers = Vec::with_capacity(bytes.len() / size * width);
        // candle takes the bytes for its block types, which want an alignment that a file does not promise.
        let mut aligned: Vec<u32> = Vec::new();
        for chunk in bytes.chunks(CHUNK / width * size) {
            aligned.resize(chunk.len().div_ceil(4), 0);
            let copy = &mut bytemuck::cast_slice_mut(&mut aligned)[..chunk.len()];
            copy.copy_from_slice(chunk);
            let tensor = qtensor_from_ggml(kind, copy, vec![chunk.len() / size * width], &Device::Cpu)?;
            numbers.extend(tensor.dequantize(&Device::Cpu)?.to_vec1::<f32>()?);
        }
        Ok(numbers)
    }
}

fn each<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().map(|chunk| number(*chunk)).collect()
}
