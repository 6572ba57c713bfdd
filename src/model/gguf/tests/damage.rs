//! Damaged files: errors, never a panic.

use proptest::prelude::*;

use super::*;
use crate::model::bundle::{Bundle, Files};

/// A small file with every kind of part, for damaging.
fn mixed() -> Vec<u8> {
    let tokenizer = [
        ("tokenizer.ggml.model", Value::String("gpt2".to_string())),
        ("tokenizer.ggml.pre", Value::String("llama-bpe".to_string())),
        (
            "tokenizer.ggml.tokens",
            Value::Array(["a", "b", "ab", "<|end|>"].map(|t| Value::String(t.to_string())).into()),
        ),
        ("tokenizer.ggml.merges", Value::Array(vec![Value::String("a b".to_string())])),
        ("tokenizer.ggml.token_type", Value::Array([1, 1, 1, 3].map(Value::I32).into())),
        ("tokenizer.ggml.eos_token_id", Value::U32(3)),
    ];
    small_with_vocabulary(4, tokenizer.into_iter().map(|(name, value)| (name.to_string(), value)).collect())
}

/// Reads everything; must not panic.
fn exercise(bytes: &[u8]) {
    if let Ok(bundle) = Bundle::read(Files::Gguf { file: Box::new(bytes.to_vec()), tokenizer: None }) {
        let _ = bundle.tokenizer.encode("ab a<|end|>b");
    }
}

#[test]
fn tensors_that_share_bytes_are_refused() {
    let bytes = mixed();
    Bundle::read(Files::Gguf { file: Box::new(bytes.to_vec()), tokenizer: None }).unwrap();
    // After the name: the number of dimensions, two of them, the type, the offset.
    let name = b"token_embd.weight";
    let at = bytes.windows(name.len()).position(|window| window == name).unwrap() + name.len() + 4 + 16 + 4;
    let mut shared = bytes.clone();
    shared[at..at + 8].fill(0);
    let error = Gguf::parse(&shared, &shared).err().unwrap().to_string();
    assert!(error.contains("shares bytes"), "{error}");
}

proptest! {
    #[test]
    fn damaged_files_are_errors(flips in prop::collection::vec((0usize..2200, any::<u8>()), 1..5), cut in 0usize..20_000) {
        let mut bytes = mixed();
        for (at, value) in flips {
            let index = at % bytes.len();
            bytes[index] = value;
        }
        exercise(&bytes);
        bytes.truncate(cut);
        exercise(&bytes);
    }

    #[test]
    fn huge_claims_are_errors(at in 4usize..2200, claim in prop::sample::select(vec![u64::MAX, 1 << 62, 1 << 40, 1 << 31])) {
        let mut bytes = mixed();
        bytes[at..at + 8].copy_from_slice(&claim.to_le_bytes());
        exercise(&bytes);
    }

    #[test]
    fn any_bytes_are_errors(tail: Vec<u8>) {
        prop_assert!(Gguf::parse(&tail, &tail).is_err());
        let headed = [b"GGUF\x03\0\0\0", &tail[..]].concat();
        prop_assert!(Gguf::parse(&headed, &headed).is_err());
    }
}
