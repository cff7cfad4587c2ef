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
        ("kdpm_2_a", None, "DPM2 a", Schedule::Uniform),
        ("kdpm_2_k", None, "DPM2", Schedule::Automatic),
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
        ("dpm++2m_sde_bt", Some("default"), "DPM++ 2M SDE", Schedule::Automatic),
        ("lms", Some("normal"), "LMS", Schedule::Normal),
        // A1111, Civitai, NovelAI
        ("DPM++ 2M SDE Karras", None, "DPM++ 2M SDE", Schedule::Karras),
        ("DPM++ 3M SDE Exponential", None, "DPM++ 3M SDE", Schedule::Automatic),
        ("dpm_2_ancestral_karras", None, "DPM2 a", Schedule::Automatic),
        ("k_dpmpp_2m_sde", Some("polyexponential"), "DPM++ 2M SDE", Schedule::Polyexponential),
        ("ddim_v3", None, "DDIM", Schedule::Automatic),
        // ComfyUI's nodes for more schedules, Draw Things
        ("dpmpp_2m", Some("AYS SD1"), "DPM++ 2M", Schedule::AlignYourSteps),
        ("DPM++ SDE AYS", None, "DPM++ SDE", Schedule::AlignYourSteps),
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
    assert_eq!(hint("dpm2m"), "did you mean \"DPM++ 2M\"?");
    assert_eq!(hint("dpm 2m sde"), "did you mean \"DPM++ 2M SDE\"?");
    assert!(hint("heunpp2").contains("other programs have it"), "{}", hint("heunpp2"));
    assert!(hint("DPM++ 4M").starts_with("known are"), "{}", hint("DPM++ 4M"));
    assert!(hint("deis").starts_with("other programs"), "{}", hint("deis"));
    // Its schedule would have no effect on UniPC.
    assert!(hint("UniPC AYS").starts_with("other programs"), "{}", hint("UniPC AYS"));
}

/// Every name that the other programs list is known here, or known to be missing.
#[test]
fn the_lists_of_other_programs_are_known() {
    let lists = [
        (
            "A1111",
            "DPM++ 2M, DPM++ SDE, DPM++ 2M SDE, DPM++ 2M SDE Heun, DPM++ 2S a, DPM++ 3M SDE, Euler a, \
             Euler, LMS, Heun, DPM2, DPM2 a, DPM fast, DPM adaptive, Restart, DDIM, DDIM CFG++, PLMS, \
             UniPC, LCM, k_dpmpp_2m_ka, k_dpmpp_sde_ka, k_dpmpp_2m_sde_exp, k_dpmpp_2m_sde_ka, \
             k_dpmpp_2s_a_ka, k_dpmpp_3m_sde_exp, k_dpm_2_ka, k_dpm_2_a_ka, k_lms_ka, k_dpm_ad",
        ),
        (
            "ComfyUI",
            "euler, euler_cfg_pp, euler_ancestral, euler_ancestral_cfg_pp, heun, heunpp2, \
             exp_heun_2_x0, exp_heun_2_x0_sde, dpm_2, dpm_2_ancestral, lms, dpm_fast, dpm_adaptive, \
             dpmpp_2s_ancestral, dpmpp_2s_ancestral_cfg_pp, dpmpp_sde, dpmpp_sde_gpu, dpmpp_2m, \
             dpmpp_2m_cfg_pp, dpmpp_2m_sde, dpmpp_2m_sde_gpu, dpmpp_2m_sde_heun, \
             dpmpp_2m_sde_heun_gpu, dpmpp_3m_sde, dpmpp_3m_sde_gpu, ddpm, lcm, ipndm, ipndm_v, deis, \
             res_multistep, res_multistep_cfg_pp, res_multistep_ancestral, \
             res_multistep_ancestral_cfg_pp, gradient_estimation, gradient_estimation_cfg_pp, er_sde, \
             seeds_2, seeds_3, sa_solver, sa_solver_pece, ddim, uni_pc, uni_pc_bh2, \
             res_2m, res_2s, res_3m, res_3s, res_5s",
        ),
        (
            "InvokeAI",
            "ddim, ddpm, deis, deis_k, lms, lms_k, pndm, heun, heun_k, euler, euler_k, euler_a, kdpm_2, \
             kdpm_2_k, kdpm_2_a, kdpm_2_a_k, dpmpp_2s, dpmpp_2s_k, dpmpp_2m, dpmpp_2m_k, \
             dpmpp_2m_sde, dpmpp_2m_sde_k, dpmpp_3m, dpmpp_3m_k, dpmpp_sde, dpmpp_sde_k, unipc, \
             unipc_k, lcm, tcd, edm_euler, edm_dpmpp_2m",
        ),
        (
            "diffusers",
            "DDIMScheduler, DDPMScheduler, DEISMultistepScheduler, DPMSolverMultistepScheduler, \
             DPMSolverSDEScheduler, DPMSolverSinglestepScheduler, EDMEulerScheduler, \
             EulerAncestralDiscreteScheduler, EulerDiscreteScheduler, HeunDiscreteScheduler, \
             IPNDMScheduler, KDPM2AncestralDiscreteScheduler, KDPM2DiscreteScheduler, LCMScheduler, \
             LMSDiscreteScheduler, PNDMScheduler, SASolverScheduler, TCDScheduler, \
             UniPCMultistepScheduler, AmusedScheduler, CMStochasticIterativeScheduler, \
             ConsistencyDecoderScheduler, CosineDPMSolverMultistepScheduler, DDIMInverseScheduler, \
             DDIMParallelScheduler, DDPMParallelScheduler, DPMSolverMultistepInverseScheduler, \
             EDMDPMSolverMultistepScheduler, FlowMatchEulerDiscreteScheduler, \
             FlowMatchHeunDiscreteScheduler, FlowMatchLCMScheduler, KarrasVeScheduler, \
             RePaintScheduler, ScoreSdeVeScheduler, UnCLIPScheduler, VQDiffusionScheduler",
        ),
        (
            "kohya",
            "ddim, pndm, lms, euler, euler_a, heun, dpm_2, dpm_2_a, dpmsolver, dpmsolver++, dpmsingle, \
             k_lms, k_euler, k_euler_a, k_dpm_2, k_dpm_2_a",
        ),
        (
            "Civitai",
            "Euler a, Euler, LMS, Heun, DPM2, DPM2 a, DPM++ 2S a, DPM++ 2M, DPM++ SDE, DPM fast, \
             DPM adaptive, LMS Karras, DPM2 Karras, DPM2 a Karras, DPM++ 2S a Karras, \
             DPM++ 2M Karras, DPM++ SDE Karras, DPM++ 3M SDE, DPM++ 2M SDE, DDIM, PLMS, UniPC, LCM, \
             DPM++ 2M SDE Karras, DPM++ 3M SDE Karras, DPM++ 3M SDE Exponential, euler_ancestral, \
             lms_karras, dpm_2_karras, dpm_2_ancestral_karras, dpmpp_2s_ancestral_karras, \
             dpmpp_2m_karras, dpmpp_sde_karras, dpmpp_2m_sde_karras, uni_pc_bh2",
        ),
        (
            "stable-diffusion.cpp",
            "euler, euler_a, heun, dpm2, dpm++2s_a, dpm++2m, dpm++2mv2, ipndm, ipndm_v, lcm, \
             ddim_trailing, tcd, res_multistep, res_2s, er_sde, euler_cfg_pp, euler_a_cfg_pp, euler_ge, \
             dpm++2m_sde, dpm++2m_sde_bt, lms",
        ),
        (
            "Draw Things",
            "DPM++ 2M Karras, Euler A, DDIM, PLMS, DPM++ SDE Karras, UniPC, LCM, Euler A Substep, \
             DPM++ SDE Substep, TCD, Euler A Trailing, DPM++ SDE Trailing, DPM++ 2M AYS, Euler A AYS, \
             DPM++ SDE AYS, DPM++ 2M Trailing, DDIM Trailing, UniPC Trailing, UniPC AYS, TCD Trailing",
        ),
        (
            "NovelAI",
            "k_lms, k_euler, k_euler_ancestral, k_heun, plms, ddim, ddim_v3, nai_smea, nai_smea_dyn, \
             k_dpmpp_2m, k_dpmpp_2m_sde, k_dpmpp_3m_sde, k_dpmpp_2s_ancestral, k_dpmpp_sde, k_dpm_2, \
             k_dpm_2_ancestral, k_dpm_adaptive, k_dpm_fast",
        ),
        ("Fooocus", "edm_playground_v2.5, tcd, lcm, dpmpp_2m_sde_gpu, uni_pc_bh2"),
    ];
    for (program, names) in lists {
        for name in names.split(',').map(str::trim) {
            if let Err(unknown) = resolve(name, None, false) {
                let hint = &unknown.hint;
                assert!(hint.starts_with("other programs have it"), "{program}: {name}: {hint}");
            }
        }
    }
    for schedule in [
        "simple",
        "sgm_uniform",
        "karras",
        "exponential",
        "ddim_uniform",
        "beta",
        "normal",
        "kl_optimal",
        "discrete",
        "ays",
        "Align Your Steps",
        "KL Optimal",
        "SGM Uniform",
        "Polyexponential",
        "Uniform",
        "Automatic",
        "DDIM",
        "default",
        "AYS SD1",
        "align_your_steps",
    ] {
        assert!(resolve("Euler", Some(schedule), false).is_ok(), "{schedule}");
    }
    // ComfyUI's and its nodes', stable-diffusion.cpp's, Fooocus', SwarmUI's, SD.Next's.
    for schedule in [
        "linear_quadratic",
        "beta57",
        "bong_tangent",
        "GITS",
        "AYS SDXL",
        "AYS SVD",
        "gits",
        "smoothstep",
        "lcm",
        "ltx2",
        "logit_normal",
        "flux2",
        "flux",
        "turbo",
        "tcd",
        "edm_playground_v2.5",
        "ltxv-image",
        "align_your_steps_GITS",
        "align_your_steps_11",
        "align_your_steps_32",
        "karras_exponential",
    ] {
        let hint = resolve("Euler", Some(schedule), false).unwrap_err().hint;
        assert!(hint.starts_with("other programs have it"), "{schedule}: {hint}");
    }
}
