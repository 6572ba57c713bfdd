//! What an arm has come to, as files or as an adapter for others to start from.

use super::run::Arm;
use super::subject::Subject;
use crate::error::{Error, Result};
use crate::model::lora::Lora;
use crate::model::peft;
use crate::model::weights::{Array, Precision, encode, header};
use crate::record::Method;

/// Most bytes of a file that are held at once.
pub const MOST_OF_A_FILE: usize = 16 << 20;

/// Gives an arm's files to `take`, part after part.
pub async fn save(arm: &Arm, subject: &Subject, mut take: impl AsyncFnMut(&str, Vec<u8>)) -> Result<()> {
    let (file, others) = match &arm.spec.method {
        Method::Lora(spec) => {
            let config = peft::config(&Lora::of(spec), &subject.title);
            (peft::WEIGHTS_FILE, vec![(peft::CONFIG_FILE, config.into_bytes())])
        }
        Method::Full {} => {
            let Subject { base, tokenizer, small, .. } = subject;
            ("model.safetensors", small.beside_weights(Precision::F32, base.config(), tokenizer)?)
        }
    };
    for (name, bytes) in others {
        for part in bytes.chunks(MOST_OF_A_FILE) {
            take(name, part.to_vec()).await;
        }
    }
    let tensors = arm.model.trained();
    take(file, header(tensors.iter().map(|(name, shape)| (name.as_str(), &**shape)), Precision::F32)?).await;
    let most = MOST_OF_A_FILE / size_of::<f32>();
    for (name, shape) in &tensors {
        let values: usize = shape.iter().product();
        for start in (0..values).step_by(most) {
            let part = arm.model.part(name, start..values.min(start + most)).await?;
            take(file, encode(&part, Precision::F32)).await;
        }
    }
    Ok(())
}

/// Holds the arm's adapter under a name.
pub async fn keep(arm: &Arm, subject: &mut Subject, name: &str) -> Result<()> {
    let Method::Lora(spec) = &arm.spec.method else {
        return Err(Error::Setting {
            field: "arm",
            message: format!("{} trains every weight and has no adapter", arm.spec.label),
            remedy: "Keep the adapter of a LoRA arm".into(),
        });
    };
    let tensors = arm.model.tensors().await?.into_iter();
    let tensors = tensors.map(|(name, (shape, data))| (name, Array { shape, data })).collect();
    subject.adapters.keep(name, &Lora::of(spec), tensors)
}
