//! `cargo xtask …`: everything a developer or a continuous integration does with this repository.

mod arguments;
mod bench;
mod check_packages;
mod check_versions;
mod demo;
mod fuzz;
mod image_archive;
mod playground;
mod progress;
mod run;
mod setup;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Task};

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Setup => setup::setup().map(|()| true),
        Task::Test => test::test(),
        Task::Tidy => tidy::tidy(),
        Task::Bench { subject } => bench::bench(subject).map(|()| true),
        Task::Fuzz { targets, seconds } => fuzz::fuzz(&targets, seconds),
        Task::Demo => demo::demo().map(|()| true),
        Task::Playground => playground::playground().map(|()| true),
        Task::CheckPackages { images } => check_packages::check_packages(&images),
        Task::CheckVersions { tables } => check_versions::check_versions(&tables),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            progress::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
