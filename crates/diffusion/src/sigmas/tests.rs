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

#[test]
fn samplers_by_the_names_of_other_programs() {
    for (name, schedule, label, means) in [
        // ComfyUI
        ("dpmpp_2m", None, "DPM++ 2M", Schedule::Automatic),
        ("dpmpp_2m", Some("normal"), "DPM++ 2M", Schedule::Normal),
        ("dpmpp_2m", Some("karras"), "DPM++ 2M", Schedule::Automatic),
        ("dpmpp_2s_ancestral", None, "DPM++ 2S a", Schedule::Automatic),
        ("dpmpp_2m_sde_gpu", Some("exponential"), "DPM++ 2M SDE", Schedule::Automatic),
        ("euler_ancestral", Some("sgm_uniform"), "Euler a", Schedule::SgmUniform),
        ("dpm_2_ancestral", Some("ddim_uniform"), "DPM2 a", Schedule::Ddim),
        ("uni_pc", None, "UniPC", Schedule::Automatic),
        // InvokeAI
        ("dpmpp_2m_k", None, "DPM++ 2M", Schedule::Automatic),
        ("euler_k", None, "Euler", Schedule::Karras),
        ("kdpm_2_a", None, "DPM2 a", Schedule::Automatic),
        // diffusers
        ("EulerAncestralDiscreteScheduler", None, "Euler a", Schedule::Uniform),
        ("DPMSolverMultistepScheduler", None, "DPM++ 2M", Schedule::Uniform),
        ("DPMSolverMultistepScheduler", Some("Karras"), "DPM++ 2M", Schedule::Automatic),
        ("PNDMScheduler", None, "PLMS", Schedule::Automatic),
        // kohya
        ("dpmsolver++", None, "DPM++ 2M", Schedule::Uniform),
        ("k_dpm_2_a", None, "DPM2 a", Schedule::Automatic),
        ("pndm", None, "PLMS", Schedule::Automatic),
        // stable-diffusion.cpp
        ("dpm++2m", Some("discrete"), "DPM++ 2M", Schedule::Uniform),
        ("dpm++2s_a", None, "DPM++ 2S a", Schedule::Automatic),
        ("euler_a", Some("ays"), "Euler a", Schedule::AlignYourSteps),
        // A1111, Civitai, NovelAI
        ("DPM++ 2M SDE Karras", None, "DPM++ 2M SDE", Schedule::Karras),
        ("dpmpp_2m_karras", None, "DPM++ 2M", Schedule::Automatic),
        ("k_dpmpp_2s_ancestral", None, "DPM++ 2S a", Schedule::Automatic),
        ("DPM++ 2S a Karras", None, "DPM++ 2S a", Schedule::Automatic),
    ] {
        let (info, found) = resolve(name, schedule, false).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((info.name, found), (label, means), "{name} {schedule:?}");
    }
}

#[test]
fn near_spelling_is_no_near_meaning() {
    let hint = |name: &str| resolve(name, None, false).unwrap_err().hint;
    assert!(hint("DPM++ 2N").contains("did you mean \"DPM++ 2M\""), "{}", hint("DPM++ 2N"));
    assert!(hint("heunpp2").contains("other programs have it"), "{}", hint("heunpp2"));
    assert!(hint("DPM++ 4M").starts_with("known are"), "{}", hint("DPM++ 4M"));
    assert!(hint("deis").starts_with("other programs"), "{}", hint("deis"));
}
