//! The native command line over the library that the page uses too.

#[cfg(not(target_arch = "wasm32"))]
mod native {
    use clap::{Parser, Subcommand};
    use driftscope::cli;

    #[derive(Parser)]
    #[command(version, about)]
    struct Arguments {
        #[command(subcommand)]
        command: Command,
    }

    #[derive(Subcommand)]
    enum Command {
        Tune(cli::tune::Args),
        Eval(cli::eval::Args),
        Logits(cli::logits::Args),
        Run(cli::run::Args),
        Bench(cli::bench::Args),
        Pretrain(cli::pretrain::Args),
    }

    pub fn main() -> anyhow::Result<()> {
        match Arguments::parse().command {
            Command::Tune(args) => cli::tune::run(args),
            Command::Eval(args) => cli::eval::run(args),
            Command::Logits(args) => cli::logits::run(args),
            Command::Run(args) => cli::run::run(args),
            Command::Bench(args) => cli::bench::run(args),
            Command::Pretrain(args) => cli::pretrain::run(args),
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn main() -> anyhow::Result<()> {
    native::main()
}

/// The command line is native; the browser runs `worker`.
#[cfg(target_arch = "wasm32")]
fn main() {}
