//! Properties that the golden numbers cannot show.
use super::*;

#[test]
fn a_saved_state_goes_on_at_the_same_place() {
    let mut generator = TorchGenerator::new(7);
    // Leaves a kept second number and a position inside the block of words.
    let _ = generator.randn(3);
    let mut restored = TorchGenerator::from_bytes(&generator.to_bytes()).unwrap();
    assert_eq!(generator.randn(5), restored.randn(5));
    assert_eq!(generator.randn(1000), restored.randn(1000));
    assert_eq!(generator.randperm(50), restored.randperm(50));
}

#[test]
fn a_damaged_state_is_refused() {
    let mut bytes = TorchGenerator::new(7).to_bytes();
    assert!(TorchGenerator::from_bytes(&bytes[1..]).is_err());
    let position = bytes.len() - 10;
    bytes[position] = 255;
    assert!(TorchGenerator::from_bytes(&bytes).is_err());
}

#[test]
fn the_seed_of_torch_has_32_bits_and_that_of_nv_64() {
    let seeds = [42, 42 + (1 << 32)];
    let [a, b] = seeds.map(|s| NoiseKind::Cpu.generator(s).normal(20));
    assert_eq!(a, b);
    let [a, b] = seeds.map(|s| NoiseKind::Nv.generator(s).normal(20));
    assert_ne!(a, b);
}
