//! What a file claims costs nothing: the most memory that reading takes, counted by the allocator, stays a
//! small multiple of the file's size. One test, so that nothing else allocates meanwhile.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use driftscope::error::Result;
use driftscope::model::bundle::{Bundle, Files, TokenizerFiles, WeightFiles};
use driftscope::model::config::LlamaConfig;
use driftscope::model::source::Source;
use driftscope::model::tokenizer::{SpecialIds, Tokenizer};
use driftscope::model::weights::{Array, Precision, Weights, write};
use serde_json::{Value, json};

/// The system's allocator, with the bytes that are held and the most that were.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

impl Counting {
    fn add(size: usize) {
        PEAK.fetch_max(HELD.fetch_add(size, Relaxed) + size, Relaxed);
    }
}

// SAFETY: every call is the system allocator's; the counters do not touch the memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::add(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::add(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const TOKENIZER: &[u8] = include_bytes!("../models/atlas/tokenizer.json");
/// Weights and headers become at most this many times as large (a Q2_K block of 84 bytes is 1024 of f32).
const BINARY: usize = 16;
/// JSON becomes a tree of values, in the `tokenizers` crate twice.
const TEXT: usize = 64;

/// Runs `read` on a file of `size` bytes, and checks how much more memory it took than was held before.
fn check<T>(what: &str, size: usize, times: usize, read: impl FnOnce() -> Result<T>) -> Result<T> {
    let before = HELD.load(Relaxed);
    PEAK.store(before, Relaxed);
    let result = read();
    let taken = PEAK.load(Relaxed) - before;
    let limit = times * size + (1 << 20);
    assert!(taken <= limit, "{what}: {taken} bytes for a file of {size}");
    println!("{what}: {size} bytes took {taken}");
    result
}

/// Reads `weights` in the folder of a small model whose config.json has `claims` besides.
fn folder(what: &str, claims: &[(&str, Value)], weights: &[u8]) -> String {
    let mut config = json!({"hidden_size": 2, "intermediate_size": 2, "num_hidden_layers": 1,
        "num_attention_heads": 1, "vocab_size": 2048, "tie_word_embeddings": true});
    claims.iter().for_each(|(field, value)| config[*field] = value.clone());
    let config = config.to_string();
    let tokenizer = TokenizerFiles { tokenizer: TOKENIZER, ..TokenizerFiles::default() };
    let size = config.len() + TOKENIZER.len() + weights.len();
    let files = Files::Folder {
        config: config.as_bytes(),
        tokenizer,
        weights: WeightFiles::One(Box::new(weights.to_vec())),
    };
    check(what, size, BINARY, || Bundle::read(files)?.weights.all())
        .err()
        .map_or_else(String::new, |error| error.to_string())
}

/// A safetensors file of one tensor that says what `entry` says.
fn safetensors(entry: Value, data: usize) -> Vec<u8> {
    let header = json!({"model.embed_tokens.weight": entry}).to_string();
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![0; data]].concat()
}

/// A GGUF file that claims `tensors` and `values` and goes on with `parts`.
fn gguf(tensors: u64, values: u64, parts: &[&[u8]]) -> Vec<u8> {
    [b"GGUF\x03\0\0\0", &tensors.to_le_bytes()[..], &values.to_le_bytes(), &parts.concat()].concat()
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

/// The header of a list of `count` values of type `kind` under the name "list".
fn list(kind: u32, count: u64) -> Vec<u8> {
    [&text("list")[..], &9u32.to_le_bytes(), &kind.to_le_bytes(), &count.to_le_bytes()].concat()
}

fn tensor(name: &str, dimensions: &[u64], kind: u32, offset: u64) -> Vec<u8> {
    let mut bytes = [&text(name)[..], &(dimensions.len() as u32).to_le_bytes()].concat();
    dimensions.iter().for_each(|size| bytes.extend(size.to_le_bytes()));
    bytes.extend(kind.to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes
}

fn refused_gguf(what: &str, file: &[u8]) {
    let files = Files::Gguf { file: Box::new(file.to_vec()), tokenizer: None };
    assert!(check(what, file.len(), BINARY, || Bundle::read(files)).is_err(), "{what}");
}

/// The embedding of the small model, and nothing else.
fn embedding() -> Weights {
    let array = Array::new(vec![2048, 2], vec![0.5; 4096]).unwrap();
    Weights::from([("model.embed_tokens.weight".to_string(), array)])
}

fn claims_of_a_config() {
    let weights = write(&embedding(), Precision::F16).unwrap();
    for (field, claim) in [
        ("vocab_size", 1 << 20),
        ("hidden_size", 512),
        ("intermediate_size", 1 << 20),
        ("num_hidden_layers", 1 << 20),
        ("max_position_embeddings", 1 << 20),
    ] {
        let error = folder(field, &[(field, json!(claim))], &weights);
        assert!(error.contains("model."), "{field}: {error}");
    }
    folder("head_dim", &[("head_dim", json!(512))], &weights);
    folder("deep config", &[("x", json!([[[[[[[[0]]]]]]]]))], &weights);
    let long = format!("{{\"x\":[{}0]}}", "0,".repeat(1 << 18));
    assert!(check("long config", long.len(), TEXT, || LlamaConfig::from_json(long.as_bytes())).is_err());
}

fn claims_of_safetensors() {
    for (what, weights) in [
        ("header length", u64::MAX.to_le_bytes().to_vec()),
        ("header of 100 MB", (99_000_000u64).to_le_bytes().to_vec()),
        ("shape", safetensors(json!({"dtype": "F32", "shape": [1u64 << 60, 4], "data_offsets": [0, 8]}), 8)),
        (
            "offsets",
            safetensors(json!({"dtype": "F32", "shape": [1u64 << 40], "data_offsets": [0, 1u64 << 42]}), 8),
        ),
        (
            "data",
            safetensors(json!({"dtype": "F16", "shape": [1 << 20], "data_offsets": [0, 1 << 21]}), 1 << 21),
        ),
    ] {
        assert!(!folder(what, &[], &weights).is_empty(), "{what}");
    }
    let index =
        json!({"metadata": {"total_size": u64::MAX}, "weight_map": {"a": "a.safetensors"}}).to_string();
    let config = br#"{"hidden_size":2,"intermediate_size":2,"num_hidden_layers":1,"num_attention_heads":1,
        "vocab_size":2048}"#;
    let open = |_: &str| Ok(Box::new(u64::MAX.to_le_bytes().to_vec()) as Box<dyn Source>);
    let tokenizer = TokenizerFiles { tokenizer: TOKENIZER, ..TokenizerFiles::default() };
    let weights = WeightFiles::Shards { index: index.as_bytes(), open: &open };
    let files = Files::Folder { config, tokenizer, weights };
    assert!(check("index", TOKENIZER.len(), BINARY, || Bundle::read(files)).is_err());
}

fn claims_of_gguf() {
    refused_gguf("counts", &gguf(u64::MAX, u64::MAX, &[]));
    refused_gguf("values", &gguf(0, 1 << 40, &[]));
    refused_gguf("tensors", &gguf(1 << 40, 0, &[]));
    refused_gguf("name", &gguf(0, 1, &[&(1u64 << 40).to_le_bytes()]));
    for kind in [0, 4, 6, 8, 9, 12, 77] {
        refused_gguf("list", &gguf(0, 1, &[&list(kind, u64::MAX)]));
        refused_gguf("list", &gguf(0, 1, &[&list(kind, 1 << 30), &[0; 64]]));
    }
    // Honest lengths of many small values.
    refused_gguf("bytes", &gguf(0, 1, &[&list(0, 1 << 20), &vec![7; 1 << 20]]));
    refused_gguf("empty texts", &gguf(0, 1, &[&list(8, 1 << 17), &vec![0; 1 << 20]]));
    let values: Vec<u8> = (0..50_000).flat_map(|i| [text(&i.to_string()), vec![0; 5]].concat()).collect();
    refused_gguf("many values", &gguf(0, 50_000, &[&values]));
    let tensors: Vec<u8> = (0..50_000).flat_map(|i| tensor(&i.to_string(), &[0], 0, 0)).collect();
    refused_gguf("many tensors", &gguf(50_000, 0, &[&tensors]));
    refused_gguf("dimensions", &gguf(1, 0, &[&tensor("t", &[1 << 40, 1 << 40], 0, 0)]));
    refused_gguf("elements", &gguf(1, 0, &[&tensor("t", &[1 << 40], 0, 0), &[0; 64]]));
    refused_gguf("offset", &gguf(1, 0, &[&tensor("t", &[1], 0, u64::MAX - 8), &[0; 64]]));
    let shared: Vec<u8> = (0..64).flat_map(|i| tensor(&i.to_string(), &[1 << 12], 0, 0)).collect();
    refused_gguf("shared bytes", &gguf(64, 0, &[&shared, &vec![0; 1 << 15]]));
    // All that a quantised file may become: Q2_K blocks under a llama's metadata.
    let number = |name: &str, value: u32| {
        [text(name), 4u32.to_le_bytes().to_vec(), value.to_le_bytes().to_vec()].concat()
    };
    let metadata = [
        [text("general.architecture"), 8u32.to_le_bytes().to_vec(), text("llama")].concat(),
        number("llama.embedding_length", 256),
        number("llama.block_count", 1 << 20),
        number("llama.feed_forward_length", 256),
        number("llama.attention.head_count", 1),
        number("llama.attention.key_length", 256),
        number("llama.context_length", 1 << 20),
        [
            text("llama.attention.layer_norm_rms_epsilon"),
            6u32.to_le_bytes().to_vec(),
            1e-5f32.to_le_bytes().to_vec(),
        ]
        .concat(),
    ]
    .concat();
    let tensors = [
        tensor("token_embd.weight", &[256, 2048], 10, 0),
        tensor("blk.0.attn_q.weight", &[256, 256], 10, 2048 * 84),
    ];
    let file = gguf(2, 8, &[&metadata, &tensors.concat(), &vec![0; 32 + (2048 + 256) * 84]]);
    let tokenizer = Some(TokenizerFiles { tokenizer: TOKENIZER, ..TokenizerFiles::default() });
    let size = file.len() + TOKENIZER.len();
    let files = Files::Gguf { file: Box::new(file), tokenizer };
    let error = check("quantised", size, BINARY, || Bundle::read(files));
    let error = error.err().unwrap().to_string();
    assert!(error.contains("model.layers.0"), "{error}");
}

fn claims_of_a_tokenizer() {
    let small: Value = json!({"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": null,
        "model": {"type": "BPE", "vocab": {"a": 0, "<|end|>": 1}, "merges": []}});
    let read = |what: &str, json: &Value| {
        let bytes = json.to_string();
        check(what, bytes.len(), TEXT, || {
            let tokenizer = {
                let files = TokenizerFiles { tokenizer: bytes.as_bytes(), ..TokenizerFiles::default() };
                Tokenizer::read(&files, SpecialIds::default())?
            };
            tokenizer.encode("aaa")
        })
    };
    let with = |field: &str, value: Value| {
        let mut json = small.clone();
        json[field] = value;
        json
    };
    read("plain", &small).unwrap();
    let padding = json!({"strategy": {"Fixed": 1 << 30}, "direction": "Right", "pad_to_multiple_of": null,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "a"});
    assert_eq!(read("padding", &with("padding", padding)).unwrap(), [0, 0, 0], "neither padded");
    let truncation = json!({"direction": "Right", "max_length": 1, "strategy": "LongestFirst", "stride": 0});
    assert_eq!(read("truncation", &with("truncation", truncation)).unwrap(), [0, 0, 0], "nor cut");
    let far = json!({"type": "BPE", "vocab": {"a": 0, "<|end|>": 4_000_000_000u32}, "merges": []});
    assert!(read("far id", &with("model", far)).is_err());
    let vocab: serde_json::Map<String, Value> = (0..20_000).map(|i| (format!("t{i}"), json!(i))).collect();
    let many = json!({"type": "BPE", "vocab": vocab, "merges": []});
    assert!(read("many tokens, no end", &with("model", many)).is_err());
}

#[test]
fn claims_cost_nothing() {
    claims_of_a_config();
    claims_of_safetensors();
    claims_of_gguf();
    claims_of_a_tokenizer();
}
