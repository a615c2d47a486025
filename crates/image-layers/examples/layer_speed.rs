//! Measures reading a gzip layer against inflating and hashing alone: `cargo run --release --example layer_speed -- LAYER.tar.gz`.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::time::Instant;

use image_layers::{ImageLimits, LayerInput, ReadBudget};
use sha2::{Digest as _, Sha256};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("name a layer")?;
    for _ in 0..3 {
        let start = Instant::now();
        let mut packed = Sha256::new();
        let mut reader = File::open(&path)?;
        let mut buffer = vec![0; 128 * 1024];
        loop {
            match reader.read(&mut buffer)? {
                0 => break,
                count => packed.update(&buffer[..count]),
            }
        }
        let mut decoder =
            flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(128 * 1024, File::open(&path)?));
        let mut unpacked = Sha256::new();
        loop {
            match decoder.read(&mut buffer)? {
                0 => break,
                count => unpacked.update(&buffer[..count]),
            }
        }
        let floor = start.elapsed();
        let start = Instant::now();
        let (limits, budget) = (ImageLimits::default(), ReadBudget::new());
        let mut reader = File::open(&path)?;
        let input = LayerInput { digest: None, diff_id: None, compression: None, reader: &mut reader };
        let layer = image_layers::read_layer(input, &|path| path.ends_with("copyright"), &limits, &budget)?;
        let layer_time = start.elapsed();
        let start = Instant::now();
        let entries = image_layers::squash(vec![layer]).entries().len();
        println!(
            "inflate and hash {floor:.2?}; read_layer {layer_time:.2?} ({:.2}); squash {:.2?}; {entries} entries",
            layer_time.as_secs_f64() / floor.as_secs_f64(),
            start.elapsed()
        );
    }
    Ok(())
}
