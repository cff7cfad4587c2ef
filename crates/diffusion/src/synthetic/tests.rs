//! The list of shapes is the real model's, and the rule's values are the golden ones.
use super::*;
use wayword_testing::{Report, topic};

#[test]
fn golden_full_size_shapes() {
    let Some(topic) = topic("full-size") else { return };
    let mut report = Report::new("golden_full_size_shapes");
    let Some(keys) = topic.json("keys.json", |v| v.get("tensors").is_some()) else {
        println!("ran 0, skipped 1: no key list");
        return;
    };
    let mut made = BTreeMap::new();
    for component in Component::ALL {
        for (name, (ldm, shape)) in Made::new(&Dimensions::sd15(), component).tensors {
            made.insert(ldm, (name, shape));
        }
    }
    let listed = keys["tensors"].as_array().unwrap();
    assert_eq!(made.len(), listed.len());
    for row in listed {
        let shape = if row[4].is_null() { &row[1] } else { &row[4] };
        let shape: Vec<usize> =
            shape.as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
        let (name, made_shape) = &made[row[0].as_str().unwrap()];
        assert_eq!((name.as_str(), made_shape), (row[3].as_str().unwrap(), &shape));
        report.ran();
    }
    report.finish();
}

#[test]
fn golden_full_size_rule() {
    let Some(topic) = topic("full-size") else { return };
    let mut report = Report::new("golden_full_size_rule");
    let Some(check) = topic.json("weights_check.json", |v| v.get("values").is_some()) else {
        println!("ran 0, skipped 1: no values of the rule");
        return;
    };
    for case in check["values"].as_array().unwrap() {
        let shape: Vec<usize> = case["shape"]
            .as_array()
            .unwrap()
            .iter()
            .map(|n| n.as_u64().unwrap() as usize)
            .collect();
        let values = tensor(case["name"].as_str().unwrap(), &shape);
        for (got, want) in values.iter().zip(case["first"].as_array().unwrap()) {
            assert_eq!(f64::from(*got), want.as_f64().unwrap());
        }
        assert_eq!(f64::from(*values.last().unwrap()), case["last"].as_f64().unwrap());
        let sum: f64 = values.iter().map(|v| f64::from(*v)).sum();
        assert!((sum - case["sum_f64"].as_f64().unwrap()).abs() < 1e-6);
        report.ran();
    }
    report.finish();
}
