//! Times the work on a full model: `measure step|draw|text|decode|encode [f32] [avx2] [single]
//! [recompute] [repeats]`.
#![expect(clippy::print_stdout, reason = "an example's result")]
use wayword_diffusion::measure::{Load, Work, measure};
use wayword_diffusion::synthetic::Dimensions;
use wayword_tensor::{CpuOptions, Level, Memory, Precision, cpu};

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let has = |word: &str| words.iter().any(|w| w == word);
    let work = match words.get(1).map(String::as_str) {
        Some("draw") => Work::Draw,
        Some("text") => Work::Text,
        Some("decode") => Work::Decode,
        Some("encode") => Work::Encode,
        _ => Work::Step,
    };
    let precision = if has("f32") { Precision::F32 } else { Precision::best() };
    let threads = has("single").then_some(1);
    let level = has("avx2").then_some(Level::Avx2);
    let device = cpu(CpuOptions { threads, precision, level });
    let repeats = words.iter().find_map(|w| w.parse().ok()).unwrap_or(3);
    let memory = if has("recompute") { Memory::Recompute } else { Memory::Keep };
    let load = Load { size: 512, batch: 1, repeats, memory };
    let result = measure(&device, &Dimensions::sd15(), work, load).expect("the device works");
    println!("{}: {:?}", device.name(), result.seconds);
    println!("median {:.3} s, {:.0} GFLOP/s", result.median(), result.gflops());
    for (name, spent) in &result.operations {
        let seconds = spent.time.as_secs_f64();
        let rate = spent.flops as f64 / seconds / 1e9;
        println!("{name:22} {seconds:7.3} s {:5} calls {rate:6.0} GFLOP/s", spent.calls);
    }
    let (now, peak) = device.memory();
    println!("device {:.2} GB now, {:.2} GB at most", now as f64 / 1e9, peak as f64 / 1e9);
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        println!("{}", status.lines().find(|l| l.starts_with("VmHWM")).unwrap_or_default());
    }
}
