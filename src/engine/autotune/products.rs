//! Which variant of the product kernel is the fastest on an adapter: a short trial of each kind of product that a
//! step consists of. What it finds can be kept as JSON; where nothing was tried, a fixed rule holds
//! ([`Matmul::variant`]).

use web_time::Instant;

use super::found::Found;
use crate::engine::gpu::lora_groups;
use crate::error::Result;
use crate::gpu::{Gpu, PlanBuilder};
use crate::kernels::{Layout, Matmul, Product, Variant};
use crate::model::config::LlamaConfig;
use crate::model::layout::Stack;
use crate::model::lora::Lora;

/// A trial takes about this long at most, compilation aside.
const SECONDS: f64 = 0.4;

/// A variant this many times slower than the best is not tried again, nor are others with barriers if it has some.
const HOPELESS: f64 = 2.0;

/// To replace the rule's own choice, a variant must take at most this fraction of its time: trials are short, and
/// between near equals, whatever else the machine is doing would decide.
const BETTER: f64 = 0.9;

/// Operations of a trial's product, at most: on software adapters the rate hardly depends on the size.
const FLOP: [f64; 2] = [4e6, 2e9];

impl Found {
    /// Uses what is known about this adapter, and tries those `products` whose kind has no result yet. True if
    /// there is more to remember than before.
    ///
    /// # Errors
    /// Whatever the adapter refuses.
    pub async fn autotune(&mut self, gpu: &Gpu, products: &[Product]) -> Result<bool> {
        let known = self.variants(gpu);
        let mut trial = Trial { seconds: 0.0, hopeless: Vec::new() };
        let mut is_new = false;
        for product in products {
            let key = product.matmul.kind();
            if known.contains_key(&key) {
                continue;
            }
            // Out of time: the rule decides, and the next start resumes the trials.
            let Some(best) = trial.best(gpu, *product).await? else { break };
            known.insert(key, best);
            is_new = true;
        }
        gpu.choose(|choices| choices.variants.clone_from(known));
        Ok(is_new)
    }
}

/// The variants tried so far in one go.
struct Trial {
    seconds: f64,
    hopeless: Vec<Variant>,
}

impl Trial {
    /// The fastest variant for a product; none when there is no time left.
    async fn best(&mut self, gpu: &Gpu, product: Product) -> Result<Option<Variant>> {
        if self.seconds > SECONDS {
            return Ok(None);
        }
        let matmul = reduced(product.matmul, FLOP[usize::from(!gpu.is_software())]);
        // The rule's own choice first: it is most often the best, and the others can then be given up early.
        let rule = matmul.variant(gpu);
        let mut times = Vec::new();
        for variant in std::iter::once(rule).chain(Variant::ALL.into_iter().filter(|&v| v != rule)) {
            let matmul = matmul.force(variant);
            if matmul.variant(gpu) == variant && !self.hopeless.contains(&variant) {
                let seconds = self.time(gpu, matmul).await?;
                times.push((variant, seconds));
                self.give_up(&times);
            }
        }
        Ok(fastest(&times))
    }

    /// Seconds of a product: the shorter of two runs, after one that compiles.
    async fn time(&mut self, gpu: &Gpu, matmul: Matmul) -> Result<f64> {
        let Matmul { m, n, k, .. } = matmul;
        let [a, b, out] = [m * k, k * n, m * n].map(|words| gpu.buffer("trial", words as usize));
        let (a, b, out) = (a?, b?, out?);
        let mut plan = PlanBuilder::new(gpu);
        matmul.record(&mut plan, &a, &b, &out);
        let plan = plan.finish("trial");
        plan.submit(gpu);
        gpu.wait().await?;
        let mut shortest = f64::INFINITY;
        for _ in 0..2 {
            let begun = Instant::now();
            plan.submit(gpu);
            gpu.wait().await?;
            let seconds = begun.elapsed().as_secs_f64();
            self.seconds += seconds;
            shortest = shortest.min(seconds);
        }
        Ok(shortest)
    }

    fn give_up(&mut self, times: &[(Variant, f64)]) {
        let best = times.iter().map(|(_, s)| *s).fold(f64::INFINITY, f64::min);
        for &(slow, _) in times.iter().filter(|(_, s)| *s > HOPELESS * best) {
            let family = |v: &Variant| *v == slow || (v.has_barriers() && slow.has_barriers());
            let lost = Variant::ALL.into_iter().filter(family);
            let lost: Vec<Variant> = lost.filter(|v| !times.iter().any(|t| t == &(*v, best))).collect();
            self.hopeless.extend(lost);
        }
    }
}

/// The fastest variant, or the first, which is the rule's own choice, where none is clearly faster.
fn fastest(times: &[(Variant, f64)]) -> Option<Variant> {
    let (rule, seconds) = *times.first()?;
    let (best, least) = *times.iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
    Some(if least < BETTER * seconds { best } else { rule })
}

/// The product with its longest side halved until it has at most `flop` operations.
fn reduced(mut matmul: Matmul, flop: f64) -> Matmul {
    while (Product { matmul, lora: None }).flop() > flop {
        let Matmul { m, n, k, .. } = &mut matmul;
        let longest = if m >= n && m >= k {
            m
        } else if n >= k {
            n
        } else {
            k
        };
        *longest = (*longest / 2).next_multiple_of(4);
    }
    matmul
}

fn plain(layout: Layout, m: u32, n: u32, k: u32) -> Product {
    Product { matmul: Matmul::new(layout, m, n, k), lora: None }
}

/// The products of training steps of both methods over `tokens` tokens, `counted` of which count; small ones of LoRA
/// aside.
pub fn step_products(c: &LlamaConfig, tokens: usize, counted: usize, lora: &Lora) -> Vec<Product> {
    let (rows, counted) = (tokens as u32, counted as u32);
    let mut products = Vec::new();
    for stack in Stack::ALL {
        let (input, output) = (stack.inputs(c) as u32, stack.outputs(c) as u32);
        let lora = lora_groups(stack, c, lora);
        let forward = plain(Layout::Nt, rows, output, input);
        let to_input = plain(Layout::Nn, rows, input, output);
        products.extend([forward, Product { lora: Some(lora), ..forward }]);
        products.extend([to_input, Product { lora: Some(lora), ..to_input }]);
        products.push(plain(Layout::Tn, output, input, rows));
    }
    let (vocab, width) = (c.vocab_size as u32, c.hidden_size as u32);
    products.push(plain(Layout::Nt, counted, vocab, width));
    products.push(plain(Layout::Nn, counted, width, vocab));
    products.push(plain(Layout::Tn, vocab, width, counted));
    products
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial() -> Trial {
        Trial { seconds: 0.0, hopeless: Vec::new() }
    }

    #[test]
    fn a_hopeless_barrier_ends_its_family() {
        let mut trial = trial();
        trial.give_up(&[(Variant::Register, 1.0), (Variant::Tiled, 5.0)]);
        assert!(trial.hopeless.contains(&Variant::Tiled) && trial.hopeless.contains(&Variant::Sliced));
        assert!(!trial.hopeless.contains(&Variant::Scalar) && !trial.hopeless.contains(&Variant::Register));
    }

    #[test]
    fn a_close_race_goes_on() {
        let mut trial = trial();
        let times = [(Variant::Tiled, 1.0), (Variant::Sliced, 1.5), (Variant::Register, 1.9)];
        trial.give_up(&times);
        assert!(trial.hopeless.is_empty());
        assert_eq!(fastest(&times), Some(Variant::Tiled));
    }

    #[test]
    fn the_rule_gives_way_to_what_is_clearly_faster() {
        let times = |rival| [(Variant::Register, 1.0), (Variant::Scalar, rival)];
        assert_eq!(fastest(&times(0.95)), Some(Variant::Register));
        assert_eq!(fastest(&times(0.8)), Some(Variant::Scalar));
        assert_eq!(fastest(&[]), None);
    }

    /// The best of a family stays, however slow its sister is.
    #[test]
    fn the_best_is_never_given_up() {
        let mut trial = trial();
        trial.give_up(&[(Variant::Tiled, 1.0), (Variant::Sliced, 9.0), (Variant::Scalar, 9.0)]);
        assert!(!trial.hopeless.contains(&Variant::Tiled));
        assert!(trial.hopeless.contains(&Variant::Sliced) && trial.hopeless.contains(&Variant::Scalar));
    }

    #[test]
    fn large_products_are_tried_small() {
        let small = reduced(Matmul::new(Layout::Nt, 512, 2048, 192), 4e6);
        let product = Product { matmul: small, lora: None };
        assert!(product.flop() <= 4e6 && product.flop() > 1e6);
        assert!([small.m, small.n, small.k].iter().all(|v| v.is_multiple_of(4)));
        let tiny = Matmul::new(Layout::Nt, 3, 5, 7);
        assert_eq!(reduced(tiny, 4e6), tiny);
    }
}
