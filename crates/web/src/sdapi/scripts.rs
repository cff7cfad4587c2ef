//! Scripts that A1111 clients name in `alwayson_scripts`: ADetailer is the face detailer here.
use super::fields::unfit;
use crate::answer::{Answer, Refusal};
use serde_json::{Value, json};
use wayword_interface::options::Values;
use wayword_session::{MOST_TABS, tab_ending};

/// Puts the scripts of a request into the drawing's options.
///
/// # Errors
/// If a script is not known, or an argument of ADetailer cannot be used.
pub(super) fn apply(scripts: &Values, own: &mut Value) -> Answer<()> {
    // Some clients always name ControlNet, without arguments where it is not used.
    let is_idle = |script: &Value| script["args"].as_array().is_some_and(Vec::is_empty);
    for (name, script) in scripts.iter().filter(|(_, script)| !is_idle(script)) {
        if !name.eq_ignore_ascii_case("ADetailer") {
            return Err(Refusal::unfit(format!("alwayson_scripts: there is no script {name}")));
        }
        adetailer(&script["args"], own)?;
    }
    Ok(())
}

/// ADetailer's arguments: whether it is on, whether img2img is skipped, then an object for each of
/// its tabs (its README, "API").
fn adetailer(args: &Value, own: &mut Value) -> Answer<()> {
    const NAME: &str = "alwayson_scripts.ADetailer.args";
    let args = args.as_array().ok_or_else(|| unfit(NAME, "a list", args))?;
    let switches: Vec<bool> = args.iter().filter_map(Value::as_bool).collect();
    if switches.get(1) == Some(&true) {
        return Err(unfit(NAME, "false for skipping img2img", &true.into()));
    }
    let is_used = |tab: &&Values| {
        let model = tab.get("ad_model").and_then(Value::as_str).unwrap_or("None");
        model != "None" && tab.get("ad_tab_enable") != Some(&json!(false))
    };
    let tabs: Vec<&Values> = args.iter().filter_map(Value::as_object).filter(is_used).collect();
    if switches.first() == Some(&false) || tabs.is_empty() {
        return Ok(());
    }
    if tabs.len() > MOST_TABS {
        let found = tabs.len();
        return Err(Refusal::unfit(format!("{NAME}: at most {MOST_TABS} tabs, found {found}")));
    }
    let mut set: Vec<String> = Vec::new();
    for (place, tab) in tabs.into_iter().enumerate() {
        let ending = tab_ending(place);
        for (key, value) in tab.iter().filter(|(key, value)| *key != "is_api" && !value.is_null()) {
            set.push(match value {
                Value::String(text) => format!("{key}{ending}={text}"),
                Value::Bool(_) | Value::Number(_) => format!("{key}{ending}={value}"),
                other => return Err(unfit(&format!("{NAME}.{key}"), "a text or a number", other)),
            });
        }
    }
    own["detail"] = true.into();
    own["detail_set"] = set.into();
    Ok(())
}
