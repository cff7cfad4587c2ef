//! The UNet against golden `unet`: outputs, gradients to x and to the text, every block's output.
#![allow(clippy::unwrap_used, reason = "a test may fail")]
mod common;

use std::collections::BTreeMap;
use wayword_diffusion::Resnet;
use wayword_diffusion::unet::{BlockConditioning, BlockContext, OddSizes, Skip, Unet, sinusoids};
use wayword_tensor::ops::{self};
use wayword_tensor::{Grid, Memory, Stride, Tape, Tensor};
use wayword_testing::{Report, max_abs, relative_l2, topic};

#[test]
fn golden_unet_forward_backward() {
    let Some(topic) = topic("unet") else { return };
    let mut report = Report::new("golden_unet_forward_backward");
    let base = common::tiny();
    let model = base.activate(&[]).unwrap();
    let unet = model.unet();
    let device = common::device();
    let files = common::tensor_files(&topic, ".upstream");
    if files.is_empty() {
        report.skip("no file of tensors");
    }
    for tensors in files {
        for case in common::cases(tensors.names(), "upstream") {
            let at = |name: &str| tensors.at(&format!("{case}.{name}"));
            let (x, grid) = common::picture(&device, at("x"));
            let (upstream, _) = common::picture(&device, at("upstream"));
            let context = common::states(&device, at("context"));
            let t = at("t").f32();
            let plain = common::channels_first(&unet.forward(&x, grid, &t, &context).unwrap());
            report.within(&case, "out", max_abs(&plain, &at("out").f32()), 2e-5);
            for memory in [Memory::Keep, Memory::Recompute] {
                let tape = Tape::new(memory);
                let (x, context) = (tape.watch(&x), tape.watch(&context));
                let out = unet.forward(&x, grid, &t, &context).unwrap();
                assert_eq!(common::channels_first(&out), plain, "the tape changes nothing");
                let grads = tape.backward(&out, &upstream);
                let dx = common::channels_first(grads.of(&x).unwrap());
                report.within(&case, "grad_x", relative_l2(&dx, &at("grad_x").f32()), 5e-5);
                let dc = grads.of(&context).unwrap().to_host().unwrap();
                let want = at("grad_context").f32();
                report.within(&case, "grad_context", relative_l2(&dc, &want), 5e-5);
            }
            // Only the text learns in training: its gradient is the same without x's.
            let tape = Tape::new(Memory::Keep);
            let watched = tape.watch(&context);
            let out = unet.forward(&x, grid, &t, &watched).unwrap();
            let dc = tape.backward(&out, &upstream).of(&watched).unwrap().to_host().unwrap();
            let want = at("grad_context").f32();
            report.within(&case, "grad_context alone", relative_l2(&dc, &want), 5e-5);
            report.ran();
        }
    }
    report.finish();
}

/// Outputs by the module's diffusers name, as in torch: pictures with channels first.
#[derive(Default)]
struct Seen(BTreeMap<String, Vec<f32>>);

impl Seen {
    fn picture(&mut self, name: impl Into<String>, value: &Tensor) {
        self.0.insert(name.into(), common::channels_first(value));
    }

    fn tokens(&mut self, name: impl Into<String>, value: &Tensor) {
        self.0.insert(name.into(), value.to_host().unwrap());
    }

    fn resnet_parts(&mut self, at: &str, r: &Resnet, x: &Tensor, grid: Grid, time: &Tensor) {
        self.picture(format!("{at}.norm1"), &ops::group_norm(x, 32, r.eps, &r.norm1, false));
        let h = ops::group_norm(x, 32, r.eps, &r.norm1, true);
        let h = ops::conv3x3(&h, grid, Stride::One, &r.conv1, None);
        self.picture(format!("{at}.conv1"), &h);
        let proj = ops::linear(time, r.time_emb_proj.as_ref().unwrap());
        self.tokens(format!("{at}.time_emb_proj"), &proj);
        let h = ops::add_channels(&h, &proj);
        self.picture(format!("{at}.norm2"), &ops::group_norm(&h, 32, r.eps, &r.norm2, false));
        let h = ops::group_norm(&h, 32, r.eps, &r.norm2, true);
        let h = ops::conv3x3(&h, grid, Stride::One, &r.conv2, None);
        self.picture(format!("{at}.conv2"), &h);
    }

    fn transformer_parts(
        &mut self,
        at: &str,
        t: &wayword_diffusion::unet::Transformer,
        x: &Tensor,
        context: &Tensor,
    ) {
        let h = ops::group_norm(x, 32, 1e-6, &t.norm, false);
        self.picture(format!("{at}.norm"), &h);
        let h = ops::linear(&h, &t.proj_in);
        self.picture(format!("{at}.proj_in"), &h);
        let (b, inner) = (&t.transformer_blocks[0], format!("{at}.transformer_blocks.0"));
        let n = ops::layer_norm(&h, 1e-5, &b.norm1);
        self.tokens(format!("{inner}.norm1"), &n);
        let seen = ops::linear(&b.attn1.attend(&n, &b.attn1.keys_values(&n)), &b.attn1.to_out);
        self.tokens(format!("{inner}.attn1"), &seen);
        let h = ops::add(&h, &seen);
        let n = ops::layer_norm(&h, 1e-5, &b.norm2);
        self.tokens(format!("{inner}.norm2"), &n);
        self.tokens(format!("{inner}.attn2.to_k"), &ops::linear(context, &b.attn2.to_k));
        let seen = ops::linear(&b.attn2.attend(&n, &b.attn2.keys_values(context)), &b.attn2.to_out);
        self.tokens(format!("{inner}.attn2"), &seen);
        let h = ops::add(&h, &seen);
        let n = ops::layer_norm(&h, 1e-5, &b.norm3);
        self.tokens(format!("{inner}.norm3"), &n);
        let geglu = ops::geglu(&ops::linear(&n, &b.ff.proj));
        self.tokens(format!("{inner}.ff.net.0"), &geglu);
        let out = ops::linear(&geglu, &b.ff.out);
        self.tokens(format!("{inner}.ff"), &out);
        let h = ops::add(&h, &out);
        self.picture(format!("{at}.proj_out"), &ops::linear(&h, &t.proj_out));
    }
}

/// Walks through the UNet by its parts, as its forward does, and notes every output.
fn walk(unet: &Unet, x: &Tensor, grid: Grid, timesteps: &[f32], context: &Tensor) -> Seen {
    let mut seen = Seen::default();
    let channels = unet.time_embedding.linear_1.inputs();
    let waves = timesteps.iter().flat_map(|t| sinusoids(*t, channels)).collect();
    seen.0.insert("time_proj".into(), waves);
    let raw = unet.time_embedding.forward(timesteps).unwrap();
    seen.tokens("time_embedding", &raw);
    let time = &ops::silu(&raw);
    let text = BlockContext::States(context);
    let conditioning = BlockConditioning { odd: OddSizes::default(), time, context: text };
    let conv_in = ops::conv3x3(x, grid, Stride::One, &unet.conv_in, None);
    seen.picture("conv_in", &conv_in);
    let mut h: Skip = (conv_in, grid);
    let mut skips = vec![h.clone()];
    for (level, down) in unet.down_blocks.iter().enumerate() {
        let at = format!("down_blocks.{level}");
        for (i, resnet) in down.resnets.iter().enumerate() {
            let here = format!("{at}.resnets.{i}");
            seen.resnet_parts(&here, resnet, &h.0, h.1, time);
            h.0 = resnet.forward(&h.0, h.1, Some(time));
            seen.picture(here, &h.0);
            if let Some(t) = down.attentions.get(i) {
                let here = format!("{at}.attentions.{i}");
                seen.transformer_parts(&here, t, &h.0, context);
                h.0 = t.forward(&h.0, context);
                seen.picture(here, &h.0);
            }
            skips.push(h.clone());
        }
        if let Some(down) = &down.downsampler {
            h = down.forward(&h.0, h.1);
            seen.picture(format!("{at}.downsamplers.0"), &h.0);
            skips.push(h.clone());
        }
    }
    let mid = &unet.mid_block;
    h.0 = mid.resnets[0].forward(&h.0, h.1, Some(time));
    seen.picture("mid_block.resnets.0", &h.0);
    h.0 = mid.attention.forward(&h.0, context);
    seen.picture("mid_block.attentions.0", &h.0);
    h.0 = mid.resnets[1].forward(&h.0, h.1, Some(time));
    seen.picture("mid_block.resnets.1", &h.0);
    for (level, up) in unet.up_blocks.iter().enumerate() {
        let at = format!("up_blocks.{level}");
        for (i, resnet) in up.resnets.iter().enumerate() {
            let both = ops::concat(&h.0, &skips.pop().unwrap().0);
            h.0 = resnet.forward(&both, h.1, Some(conditioning.time));
            seen.picture(format!("{at}.resnets.{i}"), &h.0);
            if let Some(t) = up.attentions.get(i) {
                h.0 = t.forward(&h.0, context);
                seen.picture(format!("{at}.attentions.{i}"), &h.0);
            }
        }
        if let Some(up) = &up.upsampler {
            let to = skips.last().unwrap().1;
            h = (up.forward(&h.0, h.1, to, conditioning.odd), to);
            seen.picture(format!("{at}.upsamplers.0"), &h.0);
        }
    }
    let norm = ops::group_norm(&h.0, 32, 1e-5, &unet.conv_norm_out, false);
    seen.picture("conv_norm_out", &norm);
    let h = ops::group_norm(&h.0, 32, 1e-5, &unet.conv_norm_out, true);
    seen.picture("conv_out", &ops::conv3x3(&h, grid, Stride::One, &unet.conv_out, None));
    seen
}

#[test]
fn golden_unet_intermediate() {
    let Some(topic) = topic("unet") else { return };
    let mut report = Report::new("golden_unet_intermediate");
    let json = topic.json("intermediate.json", |v| v.get("order").is_some());
    let tensors = common::tensor_files(&topic, "conv_norm_out").into_iter().next();
    let (Some(json), Some(tensors)) = (json, tensors) else {
        println!("ran 0, skipped 1: no file of outputs per block");
        return;
    };
    let base = common::tiny();
    let model = base.activate(&[]).unwrap();
    let unet = model.unet();
    let device = common::device();
    let (x, grid) = common::picture(&device, tensors.at("x"));
    let context = common::states(&device, tensors.at("context"));
    let t: Vec<f32> =
        json["t"].as_array().unwrap().iter().map(|t| t.as_f64().unwrap() as f32).collect();
    let seen = walk(unet, &x, grid, &t, &context);
    let whole = common::channels_first(&unet.forward(&x, grid, &t, &context).unwrap());
    assert_eq!(whole, seen.0["conv_out"], "the walk is what the forward does");
    for name in tensors.names().filter(|n| !["x", "context"].contains(n)) {
        let want = tensors.at(name).f32();
        let Some(got) = seen.0.get(name) else {
            report.skip("a module whose output the walk does not note");
            continue;
        };
        // The limit of outputs around 1; inner values are larger.
        let scale = want.iter().fold(1f32, |m, v| m.max(v.abs()));
        report.within(name, "outputs", max_abs(got, &want) / f64::from(scale), 2e-5);
        report.ran();
    }
    report.finish();
}

#[test]
fn golden_samplers_unet_calls() {
    let Some(topic) = topic("samplers") else { return };
    let mut report = Report::new("golden_samplers_unet_calls");
    let base = common::tiny();
    let model = base.activate(&[]).unwrap();
    let unet = model.unet();
    let device = common::device();
    let files = common::tensor_files(&topic, ".eps");
    if files.is_empty() {
        report.skip("no file of tensors");
    }
    for tensors in files {
        for case in common::cases(tensors.names(), "eps") {
            let at = |name: &str| tensors.at(&format!("{case}.{name}"));
            let (Some(a), Some(u)) = (tensors.get("cond.A"), tensors.get("cond.U")) else {
                report.skip("no file of the two texts' states");
                continue;
            };
            let (x, grid) = common::picture(&device, at("x"));
            let mut both = a.clone();
            both.bytes.extend_from_slice(&u.bytes);
            both.shape = vec![2, a.shape[0], a.shape[1]];
            let context = common::states(&device, &both);
            let out =
                unet.forward_odd(&x, grid, &at("t").f32(), &context, OddSizes::ConvThenResize);
            let got = common::channels_first(&out.unwrap());
            report.within(&case, "eps", max_abs(&got, &at("eps").f32()), 1e-4);
            report.ran();
        }
    }
    report.finish();
}
