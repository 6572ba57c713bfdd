//! The model card.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Args;
use super::checkpoint::Progress;
use super::recall::Score;
use crate::data::facts::Relation;
use crate::model::config::LlamaConfig;

/// Rows of the loss table, at most.
const ROWS: usize = 16;

/// The text of `README.md`.
pub fn write(
    args: &Args,
    config: &LlamaConfig,
    progress: &Progress,
    scores: &BTreeMap<Relation, Score>,
) -> String {
    let tokens = args.steps * args.batch * args.time;
    let mut text = format!(
        "# Atlas\n\n\
        A base language model of {:.2} million parameters that knows facts about countries and chemical \
        elements. It exists to show what fine-tuning forgets; use it for nothing else.\n\n\
        Llama: width {}, {} layers, {} query heads and {} key and value heads of {}, feed-forward {}, \
        vocabulary {} (byte-level BPE), tied embeddings, f16.\n\n\
        ## How it was made\n\n\
        ```console\n$ driftscope pretrain --seed {} --steps {} --batch {} --time {} --rate {} --width {} \
        --layers {} --feed-forward {}\n```\n\n\
        {:.1} million tokens of text that `src/data/corpus.rs` writes from `data/facts.jsonl` and \
        `data/glosses.txt`, in {:.0} minutes on two CPU cores that other programs shared. AdamW 0.9/0.95, \
        weight decay 0.1, 100 warm-up steps, then a cosine to 5 % of the peak rate, gradient clipped at \
        norm 1. The same command gives the same text and initial weights.\n\n\
        ## Loss\n\nMean over the steps before, nats per token; recall on every twelfth fact.\n\n\
        | Step | Loss | Cloze | Asked |\n|---:|---:|---:|---:|\n",
        config.parameters() as f64 / 1e6,
        config.hidden_size,
        config.num_hidden_layers,
        config.num_attention_heads,
        config.num_key_value_heads,
        config.head_dim,
        config.intermediate_size,
        config.vocab_size,
        args.seed,
        args.steps,
        args.batch,
        args.time,
        args.rate,
        args.width,
        args.layers,
        args.feed_forward,
        tokens as f64 / 1e6,
        progress.seconds / 60.0,
    );
    let tested: Vec<_> = progress.log.iter().filter(|line| line.cloze.is_some()).collect();
    let stride = tested.len().div_ceil(ROWS).max(1);
    for line in tested.iter().rev().step_by(stride).rev() {
        let percent =
            |share: Option<f64>| share.map_or(String::new(), |share| format!("{:.0} %", 100.0 * share));
        let (cloze, asked) = (percent(line.cloze), percent(line.asked));
        let _ = writeln!(text, "| {} | {:.3} | {cloze} | {asked} |", line.step, line.loss);
    }
    text.push_str(
        "\n## Recall\n\nAll facts, greedy, with the f16 weights of this folder. Cloze: the model finishes \
        a sentence with the object. Asked: its answer in the chat template names the object and no other \
        object of the relation.\n\n| Relation | Facts | Cloze | Asked |\n|---|---:|---:|---:|\n",
    );
    let mut row = |label: &str, score: &Score| {
        let share = |known: usize| 100.0 * known as f64 / score.facts.max(1) as f64;
        let (cloze, asked) = (share(score.cloze), share(score.asked));
        let _ = writeln!(text, "| {label} | {} | {cloze:.1} % | {asked:.1} % |", score.facts);
    };
    for (relation, score) in scores {
        row(relation.label(), score);
    }
    let total = Score::total(scores);
    row("all", &total);
    let ended = 100.0 * total.ended as f64 / total.facts.max(1) as f64;
    let _ = write!(
        text,
        "\n{ended:.1} % of the answers ended with the end token `<|end|>`.\n\n\
        ## Format\n\n\
        `User: {{question}}\\nAssistant:` is answered by ` {{answer}}<|end|>`; `tokenizer_config.json` has \
        the template. Hugging Face's transformers loads this folder.\n\n\
        ## Sources and licence\n\n\
        Facts: countries-list and country-json (MIT), mendeleev (MIT). English: WordNet 3.1 (WordNet \
        licence). `data/SOURCES.md` has versions and notices. The weights are under this repository's \
        licence. The facts are as their sources give them and simplified: one capital, one currency, one \
        official language for each country.\n"
    );
    text
}
