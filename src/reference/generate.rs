//! Greedy continuation of several prompts at once.

use candle_core::{Device, Tensor};

use super::llama::Llama;
use crate::error::Result;

/// Continues each prompt with the most probable token until `end` or `limit` tokens; the end token
/// is included.
///
/// Rows are padded on the right: attention only looks back, so padding changes no result.
pub fn greedy(model: &Llama, prompts: &[Vec<u32>], end: u32, limit: usize) -> Result<Vec<Vec<u32>>> {
    let mut rows: Vec<Vec<u32>> = prompts.to_vec();
    let mut open: Vec<usize> = (0..rows.len()).filter(|row| !rows[*row].is_empty()).collect();
    let longest = model.config().max_position_embeddings;
    for _ in 0..limit {
        open.retain(|row| rows[*row].len() < longest);
        if open.is_empty() {
            break;
        }
        let next = next_tokens(model, &open, &rows, end)?;
        let mut still_open = Vec::with_capacity(open.len());
        for (row, token) in open.iter().zip(next) {
            rows[*row].push(token);
            if token != end {
                still_open.push(*row);
            }
        }
        open = still_open;
    }
    Ok(rows.into_iter().zip(prompts).map(|(row, prompt)| row[prompt.len()..].to_vec()).collect())
}

/// The most probable next token of each open row.
fn next_tokens(model: &Llama, open: &[usize], rows: &[Vec<u32>], padding: u32) -> Result<Vec<u32>> {
    let time = open.iter().map(|row| rows[*row].len()).max().unwrap_or(0);
    let mut ids = Vec::with_capacity(open.len() * time);
    let mut last = Vec::with_capacity(open.len());
    for (index, row) in open.iter().enumerate() {
        ids.extend_from_slice(&rows[*row]);
        ids.resize((index + 1) * time, padding);
        last.push((index * time + rows[*row].len() - 1) as u32);
    }
    let hidden = model.hidden(&ids, open.len())?.detach();
    let last = Tensor::from_slice(&last, last.len(), &Device::Cpu)?;
    let logits = model.logits(&hidden.index_select(&last, 0)?)?;
    Ok(logits.argmax(1)?.to_vec1::<u32>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::llama::tests::small;

    #[test]
    fn together_is_as_alone() {
        let model = small();
        let prompts = [vec![1, 2, 3, 4, 5], vec![7], vec![9, 8, 9]];
        let together = greedy(&model, &prompts, 0, 6).unwrap();
        for (prompt, answer) in prompts.iter().zip(&together) {
            let alone = greedy(&model, std::slice::from_ref(prompt), 0, 6).unwrap();
            assert_eq!(&alone[0], answer);
            assert!(answer.len() <= 6 && !answer.is_empty());
        }
    }

    #[test]
    fn stops_at_the_longest_sequence() {
        let model = small();
        let prompt = vec![1; model.config().max_position_embeddings - 2];
        let answer = greedy(&model, &[prompt, vec![]], 31, 50).unwrap();
        assert!(answer[0].len() <= 2 && answer[1].is_empty());
    }
}
