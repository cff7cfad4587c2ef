//! Random bytes, damaged files and round trips: readers answer, they never panic.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wayword_formats::embedding::{self, Embedding, Layout};
use wayword_formats::map::Map;
use wayword_formats::pickle::{self, Value};
use wayword_formats::{
    Array, Dtype, Infotext, SafeTensors, exif, lora, picture, picture_text, safetensors,
};

/// Feeds bytes to every reader as far as it goes.
fn read_all(bytes: &[u8]) {
    let map: Arc<Map> = Arc::new(bytes.to_vec().into());
    if let Ok(file) = SafeTensors::from_map(Arc::clone(&map)) {
        for name in file.names() {
            let _ = file.get(name).map(|a| a.to_f32());
        }
        let _ = embedding::from_safetensors(&file);
        let _ = lora::from_safetensors(&file);
    }
    if let Ok(value) = pickle::from_map(&map) {
        let _ = embedding::from_value(&value);
        let _ = lora::from_value(&value);
    }
    let _ = embedding::from_picture(bytes);
    let _ = picture::from_bytes(bytes, picture::Reading::SEEN);
    let _ = picture_text::from_bytes(bytes);
    let _ = exif::jpeg_with_comment(bytes, "x");
    let _ = exif::webp_with_comment(bytes, "x");
}

/// Small files of every format that the repository holds.
fn corpus() -> Vec<Vec<u8>> {
    let golden = wayword_testing::repository().join("golden");
    let mut paths: Vec<PathBuf> = Vec::new();
    for folder in ["embeddings/made", "embeddings/files", "kohya-saved", "infotext", "lora/files"] {
        for entry in std::fs::read_dir(golden.join(folder)).into_iter().flatten().flatten() {
            paths.push(entry.path());
        }
    }
    paths.sort();
    let small = |p: &PathBuf| std::fs::metadata(p).is_ok_and(|m| m.is_file() && m.len() < 100_000);
    paths.into_iter().filter(small).filter_map(|p| std::fs::read(p).ok()).collect()
}

/// xorshift64*, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n.max(1)
    }
}

#[test]
fn damaged_files_are_refused_or_read_but_never_panic() {
    let corpus = corpus();
    assert!(!corpus.is_empty(), "no files to damage");
    let start = Instant::now();
    let (mut dice, mut count) = (Dice(0x5eed), 0);
    while start.elapsed() < Duration::from_secs(2) {
        let original = &corpus[dice.roll(corpus.len())];
        let mut bytes = original.clone();
        for _ in 0..=dice.roll(6) {
            if bytes.is_empty() {
                break;
            }
            // Headers and pickles stand in front: hit them more often than the numbers.
            let reach = if dice.roll(2) == 0 { bytes.len() } else { bytes.len().min(600) };
            let at = dice.roll(reach);
            match dice.roll(6) {
                0 => bytes[at] ^= 1 << dice.roll(8),
                1 => bytes[at] = [0, 0xff, 0x7f, b'R', b'c', b'\n'][dice.roll(6)],
                2 => bytes.truncate(at),
                3 => drop(bytes.remove(at)),
                4 => bytes.insert(at, dice.roll(256) as u8),
                _ => {
                    let end = (at + dice.roll(64)).min(bytes.len());
                    bytes.extend_from_within(at..end);
                }
            }
        }
        read_all(&bytes);
        count += 1;
    }
    println!("{count} damaged files");
}

/// Failures are repeated by their seed, not by a file beside the tests.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) }
}

fn dtypes() -> impl Strategy<Value = Dtype> {
    prop::sample::select(vec![Dtype::F64, Dtype::F32, Dtype::F16, Dtype::BF16])
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read_all(&bytes);
        let mut with_start = b"\x80\x02".to_vec();
        with_start.extend_from_slice(&bytes);
        read_all(&with_start);
    }

    #[test]
    fn random_headers_never_panic(text in "[{}\\[\\]\",:a-zF0-9_ ]{0,120}", tail in 0_usize..40) {
        let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(text.as_bytes());
        bytes.resize(bytes.len() + tail, 0);
        read_all(&bytes);
    }

    #[test]
    fn infotext_never_panics(text in "[A-Za-z0-9:,x\"\\\\ ()\\[\\]\\n-]{0,80}", any in ".{0,40}") {
        for text in [text, any] {
            let parts = Infotext::parse(&text);
            let _ = parts.fields();
            let _ = Infotext::parse(&parts.to_string());
        }
    }

    #[test]
    fn comments_round_trip(text in "[a-zäß漢😀,: \\n]{0,60}") {
        let mut jpeg = std::io::Cursor::new(Vec::new());
        image::RgbImage::new(3, 2).write_to(&mut jpeg, image::ImageFormat::Jpeg).unwrap();
        let mut webp = std::io::Cursor::new(Vec::new());
        image::RgbImage::new(3, 2).write_to(&mut webp, image::ImageFormat::WebP).unwrap();
        let mut files = (jpeg.into_inner(), webp.into_inner());
        // The second time replaces what the first wrote.
        for text in ["first", &text] {
            files.0 = exif::jpeg_with_comment(&files.0, text).unwrap();
            files.1 = exif::webp_with_comment(&files.1, text).unwrap();
            for file in [&files.0, &files.1] {
                prop_assert_eq!(exif::user_comment(file), Some(text.to_owned()));
                prop_assert_eq!(image::load_from_memory(file).unwrap().width(), 3);
            }
        }
    }

    #[test]
    fn safetensors_round_trip(
        tensors in prop::collection::btree_map(
            "[ -~äöü漢]{1,12}", (dtypes(), 0_usize..4, 0_usize..5), 0..6),
        notes in prop::collection::btree_map(".{1,8}", ".{0,8}", 0..4),
    ) {
        let tensors: Vec<(String, Array)> = tensors.into_iter().map(|(name, (dtype, r, c))| {
            let values: Vec<f32> = (0..r * c).map(|i| i as f32 * 0.25 - 1.0).collect();
            (name, Array::from_f32_as(dtype, vec![r, c], &values).unwrap())
        }).collect();
        let bytes = safetensors::to_bytes(&tensors, &notes).unwrap();
        let file = SafeTensors::from_map(Arc::new(bytes.into())).unwrap();
        prop_assert_eq!(file.metadata(), &notes);
        prop_assert_eq!(file.names().len(), tensors.len());
        for (name, a) in &tensors {
            let b = file.get(name).unwrap();
            prop_assert_eq!((a.dtype(), a.shape(), a.bytes()), (b.dtype(), b.shape(), b.bytes()));
        }
    }

}

proptest! {
    // Each case writes and syncs six files.
    #![proptest_config(config(16))]

    #[test]
    fn embeddings_round_trip(rows in 1_usize..5, width in 1_usize..9, dtype in dtypes(), step in any::<i64>()) {
        let vectors: Vec<f32> = (0..rows * width).map(|i| i as f32 * 0.5 - 2.0).collect();
        let dir = tempfile::tempdir().unwrap();
        let metadata = BTreeMap::from([("modelspec.title".to_owned(), "x".to_owned())]);
        for ending in ["safetensors", "pt", "ckpt"] {
            let path = dir.path().join(format!("k.{ending}"));
            embedding::write_kohya(&path, &vectors, width, dtype, &metadata).unwrap();
            let back = embedding::read(&path).unwrap();
            prop_assert_eq!((back.count, back.width, back.dtype), (rows, width, dtype));
            prop_assert_eq!(&back.vectors, &vectors);
            prop_assert_eq!(back.metadata.len(), usize::from(ending == "safetensors"));
        }
        let mut one = embedding::read(&dir.path().join("k.pt")).unwrap();
        one.step = Some(step);
        one.sd_checkpoint_name = Some("model".into());
        let path = dir.path().join("a.pt");
        embedding::write_a1111(&path, &one, "the name", dtype).unwrap();
        let back: Embedding = embedding::read(&path).unwrap();
        prop_assert_eq!((back.layout, back.step), (Layout::A1111, Some(step)));
        prop_assert_eq!(back.name.as_deref(), Some("the name"));
        prop_assert_eq!(back.sd_checkpoint_name.as_deref(), Some("model"));
        prop_assert_eq!(&back.vectors, &vectors);
        for ending in ["bin", "safetensors"] {
            let path = dir.path().join(format!("d.{ending}"));
            embedding::write_diffusers(&path, &one, "<cat>", dtype).unwrap();
            let back = embedding::read(&path).unwrap();
            prop_assert_eq!((back.layout, back.key.as_deref()), (Layout::OneTensor, Some("<cat>")));
            prop_assert_eq!(&back.vectors, &vectors);
        }
    }
}

#[test]
fn a_tensor_that_is_no_number_is_never_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.safetensors");
    for (value, dtype) in [(f32::NAN, Dtype::F32), (1e6, Dtype::F16)] {
        assert!(embedding::write_kohya(&path, &[value], 1, dtype, &BTreeMap::new()).is_err());
        assert!(!path.exists());
    }
    let nested = (0..100).fold(Value::None, |v, _| Value::List(vec![v]));
    assert!(pickle::to_bytes(&nested).is_err());
}

#[test]
fn folders_are_scanned_whole_and_links_do_not_loop() {
    let dir = tempfile::tempdir().unwrap();
    let sub = dir.path().join("sub");
    std::fs::create_dir(&sub).unwrap();
    let none = BTreeMap::new();
    let write = |path: PathBuf| embedding::write_kohya(&path, &[1.0; 4], 4, Dtype::F32, &none);
    write(dir.path().join("b.safetensors")).unwrap();
    write(sub.join("a.pt")).unwrap();
    write(sub.join("b.pt")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(dir.path(), sub.join("loop")).unwrap();
    let found = embedding::scan(dir.path(), None).unwrap();
    let names: Vec<&str> = found.loaded.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["b", "a"]);
    assert_eq!(found.skipped.len(), 1, "the second `b`");
    assert!(embedding::scan(&dir.path().join("missing"), None).is_err());
}
