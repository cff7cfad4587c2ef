//! The allow-list: every Python name that may stand in a torch file, and what it means as data.
//!
//! The names are those that the A1111 web UI allows, torch's dtypes, `torch.Size` and
//! `torch.device`, the remaining tensor types, and callback classes of Lightning. The last may
//! stand as a key or value but may not be called, created or given a state.

use super::machine::{Id, Machine, Node, StorageRef, TensorRef};
use crate::array::{Array, Dtype};
use crate::error::Fault;
use std::sync::Arc;

/// A name of the allow-list that is more than a constant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Class {
    Dict,
    Set,
    Tensor,
    Parameter,
    FromNumpy,
    Storage(Dtype),
    Size,
    Device,
    NumpyType,
    NumpyArray,
    NumpyScalar,
    NumpyReconstruct,
    Encode,
    /// May be named, never called.
    Inert(Arc<str>),
}

/// What `module.name` means; `None` where it is not on the list.
pub(super) fn find(module: &str, name: &str) -> Option<Node> {
    let class = match (module, name) {
        ("collections", "OrderedDict") | ("torch.nn.modules.container", "ParameterDict") => {
            Class::Dict
        }
        ("__builtin__" | "builtins", "set") => Class::Set,
        ("torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor") => Class::Tensor,
        ("torch._utils", "_rebuild_parameter") => Class::Parameter,
        ("torch._utils", "_rebuild_device_tensor_from_numpy") => Class::FromNumpy,
        ("torch", "Size") => Class::Size,
        ("torch", "device") => Class::Device,
        ("torch", _) => {
            if let Some(dtype) = name.strip_suffix("Storage").and_then(storage_type) {
                Class::Storage(dtype)
            } else if DTYPES.contains(&name) {
                return Some(Node::Opaque(format!("torch.{name}").into()));
            } else {
                return None;
            }
        }
        ("numpy", "dtype") => Class::NumpyType,
        ("numpy", "ndarray") => Class::NumpyArray,
        ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar") => Class::NumpyScalar,
        ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => {
            Class::NumpyReconstruct
        }
        ("_codecs", "encode") => Class::Encode,
        _ if is_callback(module) => Class::Inert(format!("{module}.{name}").into()),
        _ => return None,
    };
    Some(Node::Class(class))
}

const DTYPES: [&str; 15] = [
    "float64", "float32", "float16", "bfloat16", "float", "double", "half", "int64", "int32",
    "int16", "int8", "uint8", "long", "int", "bool",
];

fn is_callback(module: &str) -> bool {
    ["pytorch_lightning.callbacks.", "lightning.pytorch.callbacks."]
        .iter()
        .any(|p| module.starts_with(p))
}

fn storage_type(name: &str) -> Option<Dtype> {
    Some(match name {
        "Double" => Dtype::F64,
        "Float" => Dtype::F32,
        "Half" => Dtype::F16,
        "BFloat16" => Dtype::BF16,
        "Long" => Dtype::I64,
        "Int" => Dtype::I32,
        "Short" => Dtype::I16,
        "Char" => Dtype::I8,
        "Byte" => Dtype::U8,
        "Bool" => Dtype::Bool,
        _ => return None,
    })
}

/// The data that a call of an allowed class stands for.
pub(super) fn call(m: &Machine<'_>, class: &Class, args: &[Id]) -> Result<Node, Fault> {
    let node = |i: usize| args.get(i).map(|id| &m.nodes[*id]);
    match class {
        Class::Dict => match node(0) {
            None => Ok(Node::Dict(Vec::new())),
            // Python 2 wrote an OrderedDict as a list of pairs.
            Some(Node::List(pairs)) => {
                pairs.iter().map(|id| pair(m, *id)).collect::<Result<_, _>>().map(Node::Dict)
            }
            Some(Node::Dict(pairs)) => Ok(Node::Dict(pairs.clone())),
            _ => Err(m.fault("a dict that is not made of pairs")),
        },
        Class::Set => match node(0) {
            None => Ok(Node::List(Vec::new())),
            Some(Node::List(items) | Node::Tuple(items)) => Ok(Node::List(items.clone())),
            _ => Err(m.fault("a set that is not made of a list")),
        },
        Class::Tensor => tensor(m, args).map(Node::Tensor),
        Class::Parameter | Class::FromNumpy => match node(0) {
            Some(inner @ (Node::Tensor(_) | Node::Array(_))) => Ok(inner.clone()),
            _ => Err(m.fault("a parameter without a tensor")),
        },
        Class::Size => match node(0) {
            Some(Node::List(items) | Node::Tuple(items)) => Ok(Node::Tuple(items.clone())),
            _ => Err(m.fault("a torch.Size without a tuple")),
        },
        Class::Device => Ok(Node::Opaque("torch.device".into())),
        Class::NumpyType => match node(0) {
            Some(Node::Text(t)) => Ok(Node::NumpyType(t.clone())),
            _ => Err(m.fault("a numpy.dtype without a name")),
        },
        Class::NumpyScalar => scalar(m, node(0), node(1)),
        Class::NumpyReconstruct => match node(0) {
            Some(Node::Class(Class::NumpyArray)) => Ok(Node::NumpyEmpty),
            _ => Err(m.fault("numpy._reconstruct of something other than an array")),
        },
        Class::Encode => match (node(0), node(1)) {
            (Some(Node::Text(text)), Some(Node::Text(how))) if how.starts_with("latin") => {
                let bytes: Result<Vec<u8>, _> =
                    text.chars().map(|c| u8::try_from(c as u32)).collect();
                let bytes = bytes.map_err(|_| m.fault("text that is not Latin-1"))?;
                Ok(Node::Bytes(bytes.into()))
            }
            _ => Err(m.fault("_codecs.encode of something other than Latin-1 text")),
        },
        Class::Storage(_) => Err(m.forbidden("a torch storage, called directly,")),
        Class::NumpyArray => Err(m.forbidden("numpy.ndarray, called directly,")),
        Class::Inert(name) => Err(m.forbidden(name.as_ref())),
    }
}

fn pair(m: &Machine<'_>, id: Id) -> Result<(Id, Id), Fault> {
    match &m.nodes[id] {
        Node::List(p) | Node::Tuple(p) if p.len() == 2 => Ok((p[0], p[1])),
        _ => Err(m.fault("a dict that is not made of pairs")),
    }
}

/// Gives an object its state: the parameters of a `ParameterDict`, a numpy array's bytes.
pub(super) fn build(m: &mut Machine<'_>, object: Id, state: Id) -> Result<(), Fault> {
    match (&m.nodes[object], &m.nodes[state]) {
        (Node::Dict(_), Node::Dict(state)) => {
            // A module's own fields are of no use, but its parameters are its contents. An
            // OrderedDict carries `_metadata` here, which is dropped.
            let inner = state.iter().find(|(k, _)| is_text(m, *k, "_parameters")).map(|(_, v)| *v);
            let Some(inner) = inner else { return Ok(()) };
            let Node::Dict(inner) = m.nodes[inner].clone() else {
                return Err(m.fault("`_parameters` is not a dict"));
            };
            if let Node::Dict(all) = &mut m.nodes[object] {
                all.extend(inner);
            }
            Ok(())
        }
        (Node::NumpyType(_), Node::Tuple(state)) => {
            let order = state.get(1).map(|id| &m.nodes[*id]);
            match order {
                Some(Node::Text(o)) if matches!(o.as_ref(), "<" | "|" | "=") => Ok(()),
                _ => Err(m.fault("a numpy type that is not little-endian")),
            }
        }
        (Node::NumpyEmpty, Node::Tuple(state)) => {
            let array = numpy_array(m, state)?;
            m.nodes[object] = Node::Array(array);
            Ok(())
        }
        (Node::Class(Class::Inert(name)), _) => Err(m.forbidden(name.as_ref())),
        _ => Err(m.fault("a state for an object that takes none")),
    }
}

fn is_text(m: &Machine<'_>, id: Id, text: &str) -> bool {
    matches!(&m.nodes[id], Node::Text(t) if t.as_ref() == text)
}

fn count(m: &Machine<'_>, id: Option<&Id>, what: &str) -> Result<u64, Fault> {
    match id.map(|id| &m.nodes[*id]) {
        Some(Node::Int(n)) => {
            u64::try_from(*n).map_err(|_| m.fault(format!("{what} {n} is out of range")))
        }
        _ => Err(m.fault(format!("{what} is not a number"))),
    }
}

fn counts(m: &Machine<'_>, id: Option<&Id>, what: &str) -> Result<Vec<u64>, Fault> {
    match id.map(|id| &m.nodes[*id]) {
        Some(Node::Tuple(parts) | Node::List(parts)) if parts.len() <= 16 => {
            parts.iter().map(|p| count(m, Some(p), what)).collect()
        }
        _ => Err(m.fault(format!("{what} is not a tuple of at most 16 numbers"))),
    }
}

/// The storage that a persistent id names:
/// `("storage", type, key, device, numel[, (view key, offset, size)])`.
pub(super) fn storage(m: &Machine<'_>, id: Id) -> Result<StorageRef, Fault> {
    let Node::Tuple(parts) = &m.nodes[id] else {
        return Err(m.fault("a persistent id that is not a tuple"));
    };
    let node = |i: usize| parts.get(i).map(|id| &m.nodes[*id]);
    let (Some(Node::Text(tag)), Some(Node::Class(Class::Storage(dtype))), Some(Node::Text(key))) =
        (node(0), node(1), node(2))
    else {
        return Err(m.fault("a persistent id whose storage type is unknown"));
    };
    if tag.as_ref() != "storage" || key.len() > 64 {
        return Err(m.fault("a persistent id that is not a storage"));
    }
    let numel = count(m, parts.get(4), "a storage's size")?;
    let whole = StorageRef { key: key.clone(), dtype: *dtype, skip: 0, numel };
    let Some(Node::Tuple(view)) = node(5) else { return Ok(whole) };
    let skip = count(m, view.get(1), "a view's offset")?;
    let size = count(m, view.get(2), "a view's size")?;
    if skip.checked_add(size).is_none_or(|end| end > numel) {
        return Err(m.fault("a view beyond its storage"));
    }
    Ok(StorageRef { skip, numel: size, ..whole })
}

fn tensor(m: &Machine<'_>, args: &[Id]) -> Result<TensorRef, Fault> {
    let Some(Node::Storage(storage)) = args.first().map(|id| &m.nodes[*id]) else {
        return Err(m.fault("a tensor without a storage"));
    };
    let offset = count(m, args.get(1), "a tensor's offset")?;
    let shape = counts(m, args.get(2), "a tensor's shape")?;
    let stride = counts(m, args.get(3), "a tensor's stride")?;
    if shape.len() != stride.len() {
        return Err(m.fault("a tensor must have as many strides as dimensions"));
    }
    Ok(TensorRef { storage: storage.clone(), offset, shape, stride })
}

fn numpy_dtype(m: &Machine<'_>, name: &str) -> Result<Dtype, Fault> {
    Ok(match name {
        "f8" => Dtype::F64,
        "f4" => Dtype::F32,
        "f2" => Dtype::F16,
        "i8" => Dtype::I64,
        "i4" => Dtype::I32,
        "i2" => Dtype::I16,
        "i1" => Dtype::I8,
        "u1" => Dtype::U8,
        "b1" => Dtype::Bool,
        other => return Err(m.fault(format!("numpy type {other} is not supported"))),
    })
}

/// A numpy array's state: `(version, shape, dtype, is fortran, bytes)`.
fn numpy_array(m: &Machine<'_>, state: &[Id]) -> Result<Array, Fault> {
    let node = |i: usize| state.get(i).map(|id| &m.nodes[*id]);
    let shape = counts(m, state.get(1), "an array's shape")?;
    let (Some(Node::NumpyType(dtype)), Some(Node::Bytes(bytes))) = (node(2), node(4)) else {
        return Err(m.fault("a numpy array that does not hold plain numbers"));
    };
    if matches!(node(3), Some(Node::Bool(true))) && shape.len() > 1 {
        return Err(m.fault("a numpy array in Fortran order is not supported"));
    }
    let shape: Result<Vec<usize>, _> = shape.into_iter().map(usize::try_from).collect();
    let shape = shape.map_err(|_| m.fault("an array's shape is too large"))?;
    Array::new(numpy_dtype(m, dtype)?, shape, bytes.to_vec()).map_err(|e| m.fault(e.to_string()))
}

fn scalar(m: &Machine<'_>, dtype: Option<&Node>, bytes: Option<&Node>) -> Result<Node, Fault> {
    let (Some(Node::NumpyType(dtype)), Some(Node::Bytes(bytes))) = (dtype, bytes) else {
        return Err(m.fault("a numpy scalar that is not a plain number"));
    };
    let dtype = numpy_dtype(m, dtype)?;
    if bytes.len() != dtype.size() {
        return Err(m.fault("a numpy scalar of the wrong length"));
    }
    if dtype.is_float() {
        // A scalar is a score or a rate, never a weight, so double width is exact enough.
        if let Some(b) = bytes.first_chunk::<8>() {
            return Ok(Node::Float(f64::from_le_bytes(*b)));
        }
        let one = Array::new(dtype, Vec::new(), bytes.to_vec()).and_then(|a| a.to_f32());
        let value = one.ok().and_then(|v| v.first().copied()).unwrap_or(f32::NAN);
        return Ok(Node::Float(value.into()));
    }
    let signed = dtype != Dtype::U8 && dtype != Dtype::Bool;
    let negative = signed && bytes.last().is_some_and(|b| *b >= 0x80);
    let mut wide = [if negative { 0xff } else { 0 }; 16];
    wide[..bytes.len()].copy_from_slice(bytes);
    Ok(Node::Int(i128::from_le_bytes(wide)))
}
