//! The interpreter on pickles made by hand, and round trips through the writer.

use super::{Value, machine, to_bytes, tree};
use crate::array::{Array, Bytes, Dtype};
use crate::error::Fault;
use crate::map::Map;

struct NoStorages;

impl tree::Storages for NoStorages {
    fn bytes(&mut self, _: &machine::StorageRef) -> Result<Bytes, Fault> {
        Err(Fault::container("no storages here"))
    }
}

fn load(pickle: &[u8]) -> Result<Value, Fault> {
    tree::unfold(&machine::run(pickle, 0)?, &mut NoStorages, pickle.len())
}

#[test]
fn every_unlisted_name_and_opcode_is_refused_by_name() {
    for (pickle, says) in [
        (&b"cos\nsystem\n(X\x02\0\0\0lstR."[..], "`os.system`"),
        (b"cbuiltins\neval\n.", "`builtins.eval`"),
        (b"ctorch\nload\n.", "`torch.load`"),
        (b"\x8c\x05posix\x8c\x06system\x93.", "`posix.system`"),
        (b"ctorch.serialization\n_get_layout\n.", "_get_layout"),
        (b"(ios\nsystem\n.", "INST"),
        (b"Pabc\n.", "PERSID"),
        (b"\x82\x01.", "EXT"),
        (b"cpytorch_lightning.callbacks.x\nY\n)R.", "pytorch_lightning.callbacks.x.Y"),
        (b"cpytorch_lightning.callbacks.x\nY\n}b.", "pytorch_lightning.callbacks.x.Y"),
        (b"ctorch\nFloatStorage\n)R.", "called directly"),
    ] {
        let fault = load(pickle).unwrap_err().to_string();
        assert!(fault.contains(says), "{fault}");
    }
}

#[test]
fn lists_that_contain_themselves_and_doubling_lists_end() {
    // l = []; l.append(l)
    assert!(load(b"]q\0h\0a.").is_err());
    // Each list holds the one before twice.
    let mut bomb = b"]q\0".to_vec();
    for i in 0..100_u8 {
        bomb.extend_from_slice(&[b']', b'q', i + 1, b'(', b'h', i, b'h', i, b'e']);
    }
    bomb.push(b'.');
    let fault = load(&bomb).unwrap_err().to_string();
    assert!(fault.contains("deeper") || fault.contains("more than"), "{fault}");
}

#[test]
fn plain_values_of_every_protocol() {
    let value = load(b"(I01\nL-5L\nF0.5\nVx\nN}]tp0\n.").unwrap();
    let Value::Tuple(items) = value else { panic!("a tuple is expected") };
    assert!(matches!(
        items[..],
        [
            Value::Bool(true),
            Value::Int(-5),
            Value::Float(0.5),
            Value::Text(_),
            Value::None,
            Value::Dict(_),
            Value::List(_)
        ]
    ));
    assert!(load(b"}(X\x01\0\0\0aK\x01X\x01\0\0\0aK\x02u.").is_err(), "a key twice");
    assert!(load(b"\x80\x06N.").is_err(), "a newer protocol");
}

#[test]
fn what_is_written_is_read_back() {
    for dtype in [Dtype::F64, Dtype::F32, Dtype::F16, Dtype::BF16] {
        for shape in [vec![], vec![3], vec![2, 3], vec![0, 4], vec![2, 1, 2]] {
            let values: Vec<f32> = (0..shape.iter().product()).map(|i| i as f32 - 1.5).collect();
            let array = Array::from_f32_as(dtype, shape.clone(), &values).unwrap();
            let value = Value::dict([
                ("a", Value::Tensor(array)),
                ("step", Value::Int(1 << 40)),
                ("none", Value::None),
            ]);
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("x.pt");
            std::fs::write(&path, to_bytes(&value).unwrap()).unwrap();
            let back = super::from_map(&Map::open(&path).unwrap()).unwrap();
            let tensor = back.get("a").unwrap().as_tensor().unwrap();
            assert_eq!(tensor.shape(), shape);
            assert_eq!(tensor.dtype(), dtype);
            assert_eq!(tensor.to_f32().unwrap(), values);
            assert_eq!(back.get("step").unwrap().as_int(), Some(1 << 40));
        }
    }
}
