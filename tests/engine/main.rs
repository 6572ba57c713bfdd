//! The engine on WebGPU against the candle reference, on tiny random Llamas of several shapes.

mod choice;
mod common;
mod divergence;
mod gradients;
mod half;
mod head;
mod inference;
mod memory;
mod parity;
mod sampling;
mod spectra;
mod training;
