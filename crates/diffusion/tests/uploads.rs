//! What depends on little is uploaded once: time sinusoids, position ids.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]
mod common;

use wayword_diffusion::synthetic::{self, Dimensions};
use wayword_tensor::{Grid, Shape, Tensor, profiling};

#[test]
fn sinusoids_and_position_ids_are_uploaded_once() {
    let (device, profile) = profiling(&common::device());
    let (unet, text, vae) = (vec![32, 64], 16, vec![32]);
    let small = Dimensions { unet, layers: 1, text, text_layers: 1, vae };
    let (unet, encoder) =
        (synthetic::unet(&device, &small).unwrap(), synthetic::text(&device, &small).unwrap());
    let x = Tensor::from_host(&device, Shape::new(1, 16, 4), &[0.5; 64]).unwrap();
    let uploads = |timestep: f32| {
        let _ = profile.take();
        let embedded = encoder.embed(&[7, 8, 9], 1, None).unwrap();
        let context = encoder.encode(&embedded, 1).unwrap();
        let _ = unet.forward(&x, Grid::new(4, 4), &[timestep], &context).unwrap();
        profile.take()["host"].calls
    };
    // Token ids, position ids, sinusoids; then token ids, and sinusoids of another timestep.
    assert_eq!([500.0, 500.0, 3.0, 500.0].map(uploads), [3, 1, 2, 1]);
}
