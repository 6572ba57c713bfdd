//! `driftscope logits`: what a model thinks of every position of a sequence.

use anyhow::{Result, ensure};
use serde_json::json;

use super::opened::ModelArgs;

/// Prints the logits at each position of a sequence of token ids.
///
/// Example: driftscope logits --model models/atlas --tokens 5,17,3 --json
#[derive(Clone, Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Token ids, separated by commas.
    #[arg(long, value_delimiter = ',', required = true)]
    tokens: Vec<u32>,
    /// Print {"tokens", "shape": [T, V], "logits": [[…], …], …} instead of the likeliest tokens.
    #[arg(long)]
    json: bool,
}

pub fn run(args: Args) -> Result<()> {
    let mut opened = args.model.open()?;
    let vocab = opened.config.vocab_size;
    ensure!(!args.tokens.is_empty(), "--tokens: there is none; give ids such as 1,2,3");
    if args.json {
        let logits = pollster::block_on(opened.model().logits(&args.tokens))?;
        let rows: Vec<&[f32]> = logits.chunks(vocab).collect();
        let answer = json!({
            "model": args.model.model,
            "adapter": args.model.adapter,
            "backend": opened.engine,
            "tokens": args.tokens,
            "shape": [args.tokens.len(), vocab],
            "logits": rows,
        });
        println!("{answer}");
        return Ok(());
    }
    let top = pollster::block_on(opened.model().top_k(&args.tokens))?;
    for (token, top) in args.tokens.iter().zip(top) {
        print!("{:>16?} →", opened.tokenizer.token_text(*token)?);
        for (id, logprob) in top.into_iter().take(5) {
            print!(" {:?} {:.1} %", opened.tokenizer.token_text(id)?, logprob.exp() * 100.0);
        }
        println!();
    }
    Ok(())
}
