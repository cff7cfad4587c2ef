//! Pictures of many programs, built here byte by byte.

use super::{PictureSettings, from_bytes};
use crate::png_text::{PngText, encode_rgb8};

const TEXT: &str = "photo of a woman, café 角色\nNegative prompt: blurry\nSteps: 3, Sampler: Euler a, CFG scale: 5, \
     Seed: 77, Size: 64x64";

/// A PNG of 64 x 64 with these texts.
fn png(texts: &[(&str, &str)]) -> Vec<u8> {
    let texts: Vec<PngText> =
        texts.iter().map(|(k, t)| PngText { key: (*k).into(), text: (*t).into() }).collect();
    encode_rgb8(64, 64, &[9; 64 * 64 * 3], &texts).unwrap()
}

/// A JPEG without pixels: its segments are what is read.
fn jpeg(segments: &[(u8, &[u8])]) -> Vec<u8> {
    let mut out = vec![0xff, 0xd8];
    for (marker, body) in segments {
        out.extend([0xff, *marker]);
        out.extend(u16::try_from(body.len() + 2).unwrap().to_be_bytes());
        out.extend_from_slice(body);
    }
    out.extend([0xff, 0xd9]);
    out
}

/// An EXIF block with one tag: in the first directory, or in the one that it points to.
fn exif(tag: u16, kind: u16, value: &[u8], is_little: bool, in_first: bool) -> Vec<u8> {
    let u16 = |v: u16| if is_little { v.to_le_bytes() } else { v.to_be_bytes() };
    let u32 = |v: usize| {
        let v = u32::try_from(v).unwrap();
        if is_little { v.to_le_bytes() } else { v.to_be_bytes() }
    };
    let mut out = b"Exif\0\0".to_vec();
    out.extend(if is_little { b"II*\0" } else { b"MM\0*" });
    out.extend(u32(8));
    let mut directory = |tag: u16, kind: u16, count: usize, value: usize| {
        out.extend(u16(1));
        out.extend(u16(tag));
        out.extend(u16(kind));
        out.extend(u32(count));
        out.extend(u32(value));
        out.extend([0; 4]);
    };
    if !in_first {
        directory(0x8769, 4, 1, 26);
    }
    directory(tag, kind, value.len(), if in_first { 26 } else { 44 });
    out.extend_from_slice(value);
    out
}

fn utf16(text: &str, is_little: bool) -> Vec<u8> {
    let bytes = |u: u16| if is_little { u.to_le_bytes() } else { u.to_be_bytes() };
    text.encode_utf16().flat_map(bytes).collect()
}

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn read(picture: &[u8]) -> PictureSettings {
    from_bytes(picture).unwrap()
}

#[test]
fn every_place_and_byte_order_of_the_comment() {
    let (big, little) = (utf16(TEXT, false), utf16(TEXT, true));
    let code = b"UNICODE\0".as_slice();
    for (what, block) in [
        ("A1111's", exif(0x9286, 7, &joined(&[code, &big]), false, false)),
        ("in the first directory", exif(0x9286, 1, &joined(&[code, &big]), false, true)),
        ("little in a big file", exif(0x9286, 7, &joined(&[code, &little]), false, false)),
        ("little in a little file", exif(0x9286, 7, &joined(&[code, &little]), true, false)),
        ("big in a little file", exif(0x9286, 7, &joined(&[code, &big]), true, true)),
        ("big, with a mark", exif(0x9286, 7, &joined(&[code, b"\xfe\xff", &big]), true, false)),
        (
            "little, with a mark",
            exif(0x9286, 7, &joined(&[code, b"\xff\xfe", &little]), false, true),
        ),
        ("UTF-8 under UNICODE", exif(0x9286, 7, &joined(&[code, TEXT.as_bytes()]), false, false)),
        ("UTF-8", exif(0x9286, 7, &joined(&[b"ASCII\0\0\0", TEXT.as_bytes()]), false, false)),
        ("no code, UTF-8", exif(0x9286, 2, TEXT.as_bytes(), true, false)),
        ("no code, UTF-16", exif(0x9286, 2, &big, true, false)),
        ("a description", exif(0x010e, 2, TEXT.as_bytes(), false, true)),
        ("Windows' comment", exif(0x9c9c, 1, &joined(&[&little, &[0, 0]]), true, true)),
    ] {
        assert_eq!(read(&jpeg(&[(0xe1, &block)])).text, TEXT, "{what}");
    }
    // Another program's block in front, and a comment segment.
    let camera = exif(0x010f, 2, b"Camera of a maker", false, true);
    let own = exif(0x9286, 7, &joined(&[code, &big]), false, false);
    assert_eq!(read(&jpeg(&[(0xe1, &camera), (0xe1, &own)])).text, TEXT);
    let found = read(&jpeg(&[(0xe1, &camera), (0xfe, TEXT.as_bytes())]));
    assert_eq!((found.infotext.get("Seed"), found.remarks.len()), (Some("77"), 0));
}

#[test]
fn what_is_missing_is_said() {
    let why = |picture: &[u8]| from_bytes(picture).unwrap_err().to_string();
    assert!(why(&png(&[])).contains("no text at all"));
    assert!(why(b"GIF89a").contains("not a PNG, JPEG or WebP"));
    let gimp = jpeg(&[(0xfe, b"Created with GIMP")]);
    assert!(why(&gimp).contains("`comment`") && why(&gimp).contains("Created with GIMP"));
    let broken = exif(0x9286, 7, b"ASCII\0\0\0\xff\xfe\xfa\xfb", false, false);
    assert!(why(&jpeg(&[(0xe1, &broken)])).contains("damaged"));
    let graph = r#"{"nodes": [], "links": []}"#;
    let comfy = why(&png(&[("workflow", graph)]));
    assert!(comfy.contains("ComfyUI's") && comfy.contains("only its workflow"), "{comfy}");
    let fooocus = why(&png(&[("parameters", r#"{"fooocus_scheme": "fooocus"}"#)]));
    assert!(fooocus.contains("Fooocus's") && fooocus.contains("no prompt"), "{fooocus}");
}

#[test]
fn settings_of_other_programs() {
    let swarm = r#"{"sui_image_params": {"prompt": "a cat", "negativeprompt": "blurry", "model": "SD/v15",
        "seed": 5, "steps": 20, "cfgscale": 7.0, "width": 512, "height": 768, "sampler": "euler"}}"#;
    let invoke = r#"{"positive_prompt": "a cat", "negative_prompt": "blurry", "width": 512,
        "height": 768, "seed": 5, "cfg_scale": 7, "steps": 20, "scheduler": "euler",
        "model": {"name": "v15", "base": "sd-1"}}"#;
    let older = r#"{"model": "stable diffusion", "image": {"prompt": [{"prompt": "a cat", "weight": 1}],
        "negative_prompt": "blurry", "steps": 20, "cfg_scale": 7, "seed": 5, "width": 512, "height": 768,
        "sampler": "euler"}}"#;
    let fooocus = r#"{"fooocus_scheme": "fooocus", "prompt": "a cat", "negative_prompt": "blurry",
        "steps": 20, "guidance_scale": 7.0, "seed": "5", "resolution": "(512, 768)",
        "sampler": "euler", "scheduler": "karras"}"#;
    let titled = r#"{"Prompt": "a cat", "Negative Prompt": "blurry", "Seed": 5, "Width": 512,
        "Height": 768, "Steps": 20, "Guidance Scale": 7, "Sampler": "euler", "Clip Skip": "True"}"#;
    let dream = r#""a cat [blurry]" -s 20 -S 5 -W512 -H 768 -C7.0 -A euler"#;
    let easy = r#"{"prompt": "a cat", "negative_prompt": "blurry", "seed": 5, "width": 512,
        "height": 768, "num_inference_steps": 20, "guidance_scale": 7, "sampler_name": "euler"}"#;
    for (program, place, text) in [
        ("SwarmUI", "parameters", swarm),
        ("InvokeAI", "invokeai_metadata", invoke),
        ("InvokeAI", "sd-metadata", older),
        ("InvokeAI", "Dream", dream),
        ("Fooocus", "parameters", fooocus),
        ("Easy Diffusion", "Comment", easy),
        ("Easy Diffusion", "Comment", titled),
    ] {
        let found = read(&png(&[(place, text)]));
        assert_eq!(found.program, Some(program));
        let info = &found.infotext;
        assert_eq!((&*info.prompt, &*info.negative), ("a cat", "blurry"), "{place}");
        for (key, value) in
            [("Steps", "20"), ("Sampler", "euler"), ("Seed", "5"), ("Size", "512x768")]
        {
            assert_eq!(info.get(key), Some(value), "{place} {key}");
        }
        assert!(found.remarks[0].contains(program), "{:?}", found.remarks);
    }
    for (sampler, schedule) in [
        ("dpmpp_2m", Some("Uniform")),
        ("dpmpp_2m_k", None),
        ("euler", None),
        ("kdpm_2", Some("Uniform")),
    ] {
        let text = invoke.replace("euler", sampler);
        let found = read(&png(&[("invokeai_metadata", &text)]));
        assert_eq!(found.infotext.get("Schedule type"), schedule, "{sampler}");
    }
    // The same layer of the text encoder by each program's count.
    for (place, text, theirs, skip) in [
        ("parameters", swarm, r#""clipstopatlayer": -2, "#, Some("2")),
        ("parameters", swarm, r#""clipstopatlayer": -1, "#, None),
        ("invokeai_metadata", invoke, r#""clip_skip": 1, "#, Some("2")),
        ("invokeai_metadata", invoke, r#""clip_skip": 0, "#, None),
        ("parameters", fooocus, r#""clip_skip": 2, "#, Some("2")),
        ("Comment", easy, r#""clip_skip": true, "#, Some("2")),
        ("Comment", easy, r#""clip_skip": false, "#, None),
        ("Comment", titled, "", Some("2")),
    ] {
        let text = text.replacen(r#""seed""#, &format!(r#"{theirs}"seed""#), 1);
        let found = read(&png(&[(place, &text)]));
        assert_eq!(found.infotext.get("Clip skip"), skip, "{text}");
    }
    // Draw Things: JSON in XMP.
    let json = r#"{"c": "a cat", "uc": "blurry", "steps": 20, "seed": 5, "scale": 7.5,
        "sampler": "DPM++ 2M Karras", "size": "512x768"}"#;
    let xmp = format!(
        "http://ns.adobe.com/xap/1.0/\0<x:xmpmeta><exif:UserComment><rdf:Alt><rdf:li \
         xml:lang=\"x-default\">{}</rdf:li></rdf:Alt></exif:UserComment></x:xmpmeta>",
        json.replace('"', "&quot;")
    );
    let found = read(&jpeg(&[(0xe1, xmp.as_bytes())]));
    assert_eq!(
        (found.program, found.infotext.get("CFG scale")),
        (Some("Draw Things"), Some("7.5"))
    );
}

#[test]
fn novel_ais_sampler_and_schedule_are_its_own() {
    for (sampler, schedule, ours, kept) in [
        ("k_euler_ancestral", "native", "Euler a", None),
        ("k_dpmpp_2m", "karras", "DPM++ 2M", Some("karras")),
        ("k_dpmpp_2m_sde", "polyexponential", "k_dpmpp_2m_sde", Some("polyexponential")),
        ("nai_smea", "native", "nai_smea", None),
    ] {
        let comment = format!(
            r#"{{"steps": 28, "sampler": "{sampler}", "noise_schedule": "{schedule}", "seed": 5,
               "scale": 11.0, "uc": "blurry"}}"#
        );
        let texts =
            [("Software", "NovelAI"), ("Description", "a cat"), ("Comment", comment.as_str())];
        let found = read(&png(&texts));
        assert_eq!(found.program, Some("NovelAI"));
        let info = &found.infotext;
        assert_eq!((&*info.prompt, &*info.negative), ("a cat", "blurry"));
        assert_eq!((info.get("Sampler"), info.get("Schedule type")), (Some(ours), kept));
    }
}

#[test]
fn a_plain_graph_of_comfyui() {
    let graph = r#"{
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd\\v15.safetensors"}},
        "2": {"class_type": "LoraLoader", "inputs": {"lora_name": "x.safetensors",
              "strength_model": 0.8, "strength_clip": 0.8, "model": ["1", 0], "clip": ["1", 1]}},
        "3": {"class_type": "KSampler", "inputs": {"seed": ["8", 0], "steps": 20, "cfg": 7.0,
              "sampler_name": "dpmpp_2m", "scheduler": "karras", "denoise": 1.0, "model": ["2", 0],
              "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}},
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 768}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat, embedding:zog", "clip": ["2", 1]}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": ["9", 0], "clip": ["2", 1]}},
        "8": {"class_type": "PrimitiveInt", "inputs": {"value": 5}},
        "9": {"class_type": "PrimitiveString", "inputs": {"value": "blurry"}}}"#;
    let found = read(&png(&[("workflow", "{}"), ("prompt", graph)]));
    assert_eq!(found.program, Some("ComfyUI"));
    assert_eq!(found.infotext.prompt, "a cat, zog <lora:x:0.8>");
    assert_eq!(found.infotext.negative, "blurry");
    for (key, value) in [
        ("Steps", "20"),
        ("Sampler", "dpmpp_2m"),
        ("Schedule type", "karras"),
        ("CFG scale", "7"),
        ("Seed", "5"),
        ("Size", "512x768"),
        ("Model", "v15"),
        ("RNG", "CPU"),
    ] {
        assert_eq!(found.infotext.get(key), Some(value), "{key}");
    }
    // ComfyUI's WebP files have it in a camera's tag.
    let block = exif(0x0110, 2, format!("prompt:{graph}").as_bytes(), false, true);
    assert_eq!(read(&jpeg(&[(0xe1, &block)])).infotext, found.infotext);
    let two = graph.replace("\"PrimitiveInt\"", "\"KSamplerAdvanced\"");
    let why = from_bytes(&png(&[("prompt", &two)])).unwrap_err().to_string();
    assert!(why.contains("2 plain samplers"), "{why}");
    // A1111's text beside it, as image savers write, is meant.
    let both = read(&png(&[("prompt", graph), ("parameters", TEXT)]));
    assert_eq!((both.program, both.text.as_str()), (None, TEXT));
}

#[test]
fn a_web_ui_in_one_line() {
    let line = TEXT.replace('\n', " ");
    let found = read(&png(&[("parameters", &line)]));
    assert_eq!(found.infotext.prompt, "photo of a woman, café 角色");
    assert_eq!(found.infotext.negative, "blurry");
    assert_eq!(found.remarks.len(), 1);
}
