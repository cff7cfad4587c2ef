//! Names, which the golden data knows only as A1111 reads them.
use super::*;

#[test]
fn foreign_and_combined_names_are_understood() {
    let found = |name: &str| {
        let (info, schedule) = resolve(name, None, false).unwrap();
        (info.name, schedule.label())
    };
    assert_eq!(found(""), ("DPM++ 2M", "Automatic"));
    assert_eq!(found("euler a"), ("Euler a", "Automatic"));
    assert_eq!(found("k_euler_a"), ("Euler a", "Automatic"));
    assert_eq!(found("DPM++ 2M Karras"), ("DPM++ 2M", "Automatic"));
    assert_eq!(found("Euler SGM Uniform"), ("Euler", "SGM Uniform"));
    assert_eq!(found("euler_karras"), ("Euler", "Karras"));
    assert_eq!(
        found("dpm++ 2m sde heun align_your_steps"),
        ("DPM++ 2M SDE Heun", "Align Your Steps")
    );
}

#[test]
fn unknown_names_are_refused_with_the_nearest() {
    let error = resolve("Euler b", None, false).unwrap_err();
    assert_eq!((error.what, error.hint.as_str()), ("sampler", "did you mean \"Euler\"?"));
    let error = resolve("Euler", Some("karas"), false).unwrap_err();
    assert_eq!((error.what, error.hint.as_str()), ("schedule", "did you mean \"Karras\"?"));
    let error = resolve("Foo", None, false).unwrap_err();
    assert!(error.hint.starts_with("known are DPM++ 2M, "), "{}", error.hint);
}

#[test]
fn the_table_has_the_known_ends() {
    let table = SigmaTable::sd();
    assert!((table.sigma_min() - 0.029_167_53).abs() < 1e-8);
    assert!((table.sigma_max() - 14.614_642).abs() < 1e-5);
    assert_eq!(table.lcm().sigmas().len(), 50);
    assert_eq!(table.sigma_to_t(table.sigma_max()), 999.0);
}
