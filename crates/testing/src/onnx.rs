//! Small ONNX networks of any shape, made byte by byte: what image encoders look like from outside.

/// A network that takes pictures `[n, 3, height, width]` and gives means of their pixels.
#[derive(Debug, Clone)]
pub struct Network {
    /// Name of the input.
    pub input: &'static str,
    /// Height and width of the input; `None` where the file leaves them open.
    pub size: Option<(i64, i64)>,
    /// Outputs: a name and the shape, whose last side is at least 3.
    pub outputs: Vec<(&'static str, Vec<i64>)>,
    /// Side of the blocks of pixels whose means are the only output, instead of the whole picture's.
    pub blocks: Option<i64>,
    /// Keys and values of the file's metadata.
    pub metadata: Vec<(&'static str, &'static str)>,
}

impl Network {
    /// The bytes of its file. The values of an output are the means of red, green and blue as the
    /// network gets them, then zeros, the same for each of its rows.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut graph = Message::default();
        let pooled = match self.blocks {
            Some(side) => node(
                "AveragePool",
                &[self.input],
                "pooled",
                &[("kernel_shape", vec![side, side]), ("strides", vec![side, side])],
            ),
            None => node("GlobalAveragePool", &[self.input], "pooled", &[]),
        };
        graph.message(1, pooled);
        for (name, shape) in &self.outputs {
            let of = |what: &str| format!("{name}_{what}");
            if self.blocks.is_some() {
                graph.message(5, whole_numbers(&of("shape"), shape));
                graph.message(1, node("Reshape", &["pooled", &of("shape")], name, &[]));
                continue;
            }
            let width = *shape.last().unwrap();
            let row: Vec<i64> =
                shape.iter().map(|_| 1).take(shape.len() - 1).chain([width]).collect();
            graph.message(5, whole_numbers(&of("three"), &[1, 3]));
            graph.message(1, node("Reshape", &["pooled", &of("three")], &of("means"), &[]));
            graph.message(5, first_columns(&of("weights"), width));
            graph.message(1, node("MatMul", &[&of("means"), &of("weights")], &of("values"), &[]));
            graph.message(5, whole_numbers(&of("row"), &row));
            graph.message(1, node("Reshape", &[&of("values"), &of("row")], &of("one"), &[]));
            graph.message(5, whole_numbers(&of("shape"), shape));
            graph.message(1, node("Expand", &[&of("one"), &of("shape")], name, &[]));
        }
        graph.bytes(2, b"network");
        let (height, width) = self.size.map_or((None, None), |(h, w)| (Some(h), Some(w)));
        graph.message(11, value(self.input, &[None, Some(3), height, width]));
        for (name, shape) in &self.outputs {
            let shape: Vec<Option<i64>> = shape.iter().map(|side| Some(*side)).collect();
            graph.message(12, value(name, &shape));
        }
        let mut model = Message::default();
        model.number(1, 8);
        model.message(7, graph);
        let mut set = Message::default();
        set.bytes(1, b"");
        set.number(2, 13);
        model.message(8, set);
        for (key, value) in &self.metadata {
            let mut entry = Message::default();
            entry.bytes(1, key.as_bytes());
            entry.bytes(2, value.as_bytes());
            model.message(14, entry);
        }
        model.0
    }
}

/// A message of protobuf.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(&mut self, field: u64, value: i64) {
        self.varint(field << 3);
        self.varint(value as u64);
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn message(&mut self, field: u64, message: Self) {
        self.bytes(field, &message.0);
    }
}

fn node(kind: &str, inputs: &[&str], output: &str, attributes: &[(&str, Vec<i64>)]) -> Message {
    let mut out = Message::default();
    inputs.iter().for_each(|input| out.bytes(1, input.as_bytes()));
    out.bytes(2, output.as_bytes());
    out.bytes(3, output.as_bytes());
    out.bytes(4, kind.as_bytes());
    for (name, values) in attributes {
        let mut attribute = Message::default();
        attribute.bytes(1, name.as_bytes());
        values.iter().for_each(|value| attribute.number(8, *value));
        attribute.number(20, 7);
        out.message(5, attribute);
    }
    out
}

/// A constant of 64-bit numbers.
fn whole_numbers(name: &str, values: &[i64]) -> Message {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    constant(name, &[values.len() as i64], 7, &bytes)
}

/// `[3, width]`: ones on the diagonal.
fn first_columns(name: &str, width: i64) -> Message {
    let one = |i: i64| if i % width == i / width { 1f32 } else { 0.0 };
    let bytes: Vec<u8> = (0..3 * width).flat_map(|i| one(i).to_le_bytes()).collect();
    constant(name, &[3, width], 1, &bytes)
}

fn constant(name: &str, shape: &[i64], kind: i64, bytes: &[u8]) -> Message {
    let mut out = Message::default();
    shape.iter().for_each(|side| out.number(1, *side));
    out.number(2, kind);
    out.bytes(8, name.as_bytes());
    out.bytes(9, bytes);
    out
}

/// An input or output of floats.
fn value(name: &str, shape: &[Option<i64>]) -> Message {
    let mut sides = Message::default();
    for (place, side) in shape.iter().enumerate() {
        let mut one = Message::default();
        match side {
            Some(side) => one.number(1, *side),
            None => one.bytes(2, format!("side{place}").as_bytes()),
        }
        sides.message(1, one);
    }
    let mut tensor = Message::default();
    tensor.number(1, 1);
    tensor.message(2, sides);
    let mut kind = Message::default();
    kind.message(1, tensor);
    let mut out = Message::default();
    out.bytes(1, name.as_bytes());
    out.message(2, kind);
    out
}
