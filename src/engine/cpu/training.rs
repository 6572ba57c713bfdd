//! A training step on the CPU: candle's gradients, the reference's AdamW, and what the loss may gain.

use std::collections::BTreeMap;

use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor, Var};

use crate::data::batch::Batch;
use crate::engine::StepMetrics;
use crate::error::Result;
use crate::kernels::{IGNORED, Neftune, Pull, Step};
use crate::reference::adamw::AdamW;
use crate::reference::llama::{Llama, Named};
use crate::reference::ops::{cross_entropy, kl};
use crate::train::Optimizer;

/// What an arm adds to a model.
pub(super) struct Training {
    settings: Optimizer,
    /// What the loss keeps the arm close to.
    base: Option<Llama>,
    pub optimizer: AdamW,
    pub metrics: Vec<StepMetrics>,
    pub gradients: Option<GradStore>,
}

/// Back towards the base, as [`Pull`] says.
fn pull(trainable: &BTreeMap<String, Var>, base: &Named, lr: f32, strength: f32) -> Result<()> {
    for (name, var) in trainable {
        let mut values = var.flatten_all()?.to_vec1::<f32>()?;
        let (step, start) = (Step { lr, ..Step::default() }, base[name].flatten_all()?.to_vec1::<f32>()?);
        Pull { len: values.len() as u32, strength }.record_cpu(&start, &step, &mut values);
        var.set(&Tensor::from_vec(values, var.shape(), &Device::Cpu)?)?;
    }
    Ok(())
}

impl Training {
    /// Steps over `base`'s tensors as it is now.
    pub fn new(settings: Optimizer, base: Llama) -> Self {
        Self {
            settings,
            base: (settings.kl_to_base > 0.0).then_some(base),
            optimizer: AdamW::new(settings.reference()),
            metrics: Vec::new(),
            gradients: None,
        }
    }

    /// One step of `llama` over micro-batches with `counted` response tokens in all. `start`: what full tuning is
    /// pulled back to.
    pub fn step(
        &mut self,
        llama: &Llama,
        start: Option<&Named>,
        micro: &[Batch],
        counted: usize,
        lr: f32,
    ) -> Result<()> {
        let (mut sum, mut loss) = (None, 0.0);
        let index = self.optimizer.step as u32;
        for (batch, micro) in micro.iter().zip(0..).filter(|(batch, _)| batch.response_tokens() > 0) {
            let share = batch.response_tokens() as f64 / counted as f64;
            let step = self.settings.step(index, micro, lr, counted);
            let part = (self.mean_loss(llama, batch, &step)? * share)?;
            loss += part.to_vec0::<f32>()?;
            let gradients = part.backward()?;
            sum = Some(match sum {
                None => gradients,
                Some(sum) => add(llama.trainable(), sum, &gradients)?,
            });
        }
        if let Some(gradients) = sum {
            let norm = self.optimizer.update(llama.trainable(), &gradients, f64::from(lr))?;
            if let Some(start) = start.filter(|_| self.settings.pull > 0.0) {
                pull(llama.trainable(), start, lr, self.settings.pull)?;
            }
            self.metrics.push(StepMetrics { loss, grad_norm: norm as f32 });
            self.gradients = Some(gradients);
        }
        Ok(())
    }

    /// Mean loss over the batch's response tokens, with the settings' noise on the embeddings and their penalty on
    /// leaving the base.
    fn mean_loss(&self, llama: &Llama, batch: &Batch, step: &Step) -> Result<Tensor> {
        let batch = batch.trimmed();
        // The head is applied to the rows whose loss counts, and to no others.
        let counted = (0u32..).zip(&batch.targets).filter(|(_, t)| **t != IGNORED);
        let (rows, targets): (Vec<u32>, Vec<u32>) = counted.map(|(row, &target)| (row, target)).unzip();
        let alpha = self.settings.neftune;
        let hidden = match alpha > 0.0 {
            false => llama.hidden(&batch.tokens, batch.rows)?,
            true => {
                let embedded = llama.embed(&batch.tokens)?;
                let (rows, width) = (batch.rows as u32, embedded.dim(1)? as u32);
                let op = Neftune { batch: rows, time: batch.time as u32, width, alpha };
                let noise = op.noise_cpu(&batch.lengths(), step);
                let noise = Tensor::from_vec(noise, embedded.shape(), &Device::Cpu)?;
                llama.run_layers((embedded + noise)?, batch.rows, batch.time)?
            }
        };
        let rows = Tensor::from_slice(&rows, rows.len(), &Device::Cpu)?;
        let logits = llama.logits(&hidden.index_select(&rows, 0)?)?;
        let loss = cross_entropy(&logits, &targets)?;
        let Some(base) = &self.base else { return Ok(loss) };
        let hidden = base.hidden(&batch.tokens, batch.rows)?.index_select(&rows, 0)?;
        let divergence = kl(&logits, &base.logits(&hidden)?)?;
        Ok((loss + (divergence * f64::from(self.settings.kl_to_base))?)?)
    }
}

/// `sum` with `more` added to the gradients of the trained parameters.
fn add(trainable: &BTreeMap<String, Var>, mut sum: GradStore, more: &GradStore) -> Result<GradStore> {
    for var in trainable.values() {
        if let (Some(a), Some(b)) = (sum.get(var.as_tensor()), more.get(var.as_tensor())) {
            let both = (a + b)?;
            sum.insert(var.as_tensor(), both);
        }
    }
    Ok(sum)
}
