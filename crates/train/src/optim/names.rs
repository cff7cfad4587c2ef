//! Which name is which optimizer, and what is said about the rest.
use super::adafactor::Adafactor;
use super::adagrad::Adagrad;
use super::adam::Adam;
use super::adamax::Adamax;
use super::args::{Args, Literal};
use super::dadapt::{
    DAdaptAdaGrad, DAdaptAdam, DAdaptAdamPreprint, DAdaptAdan, DAdaptLion, DAdaptSgd,
};
use super::eight_bit::{EightBit, EightBitKind};
use super::error::OptimError;
use super::lion::Lion;
use super::nadam::NAdam;
use super::prodigy::Prodigy;
use super::radam::RAdam;
use super::rmsprop::RmsProp;
use super::rule::Rule;
use super::schedule_free::{Base, ScheduleFree};
use super::sgd::Sgd;

/// The names that are built in, as reports write them.
pub const OPTIMIZERS: &[&str] = &[
    "AdamW",
    "AdamW8bit",
    "Lion",
    "Lion8bit",
    "SGD",
    "SGDNesterov",
    "SGDNesterov8bit",
    "Adafactor",
    "Prodigy",
    "DAdaptAdam",
    "DAdaptAdamPreprint",
    "DAdaptLion",
    "DAdaptSGD",
    "DAdaptAdaGrad",
    "DAdaptAdan",
    "DAdaptAdanIP",
    "AdamWScheduleFree",
    "SGDScheduleFree",
    "RAdamScheduleFree",
    "Adam",
    "RAdam",
    "NAdam",
    "Adagrad",
    "Adamax",
    "RMSprop",
];

/// Names of the same optimizers in other clothes.
const ALIASES: &[(&str, &str, &str)] = &[
    ("", "AdamW", ""),
    ("pagedadamw", "AdamW", "PagedAdamW is AdamW here: rows are too few to need paging"),
    ("pagedadamw32bit", "AdamW", "PagedAdamW32bit is AdamW here: rows are too few to need paging"),
    (
        "pagedadamw8bit",
        "AdamW8bit",
        "PagedAdamW8bit is AdamW8bit here: rows are too few to need paging",
    ),
    (
        "pagedlion8bit",
        "Lion8bit",
        "PagedLion8bit is Lion8bit here: rows are too few to need paging",
    ),
    ("dadaptation", "DAdaptAdamPreprint", ""),
];

/// What a name leads to.
pub(super) struct Made {
    pub(super) name: String,
    pub(super) rule: Box<dyn Rule>,
    pub(super) note: Option<String>,
}

/// Makes the optimizer `name` with `key=value` arguments.
pub(super) fn make(name: &str, texts: &[String], learning_rate: f64) -> Result<Made, OptimError> {
    let plain = ["torch.optim.", "bitsandbytes.optim.", "lion_pytorch.", "prodigyopt."]
        .iter()
        .fold(name.trim(), |name, path| name.strip_prefix(path).unwrap_or(name));
    let lower = plain.to_lowercase();
    let alias = ALIASES.iter().find(|(from, _, _)| *from == lower);
    let wanted = alias.map_or(lower.as_str(), |(_, to, _)| *to).to_lowercase();
    let Some(known) = OPTIMIZERS.iter().find(|o| o.to_lowercase() == wanted) else {
        return Err(OptimError::UnknownOptimizer {
            name: name.into(),
            nearest: super::nearest(plain, OPTIMIZERS),
            known: OPTIMIZERS.join(", "),
        });
    };
    let mut args = Args::parse(known, texts)?;
    let rule = build(known, &mut args, learning_rate)?;
    args.finish()?;
    let note = alias.map(|(_, _, note)| *note).filter(|n| !n.is_empty()).map(Into::into);
    Ok(Made { name: (*known).into(), rule, note })
}

fn build(known: &str, args: &mut Args, rate: f64) -> Result<Box<dyn Rule>, OptimError> {
    Ok(match known {
        "AdamW" => Box::new(Adam::new(args, true)?),
        "Adam" => Box::new(Adam::new(args, false)?),
        "AdamW8bit" => Box::new(EightBit::new(args, EightBitKind::AdamW)?),
        "Lion" => Box::new(Lion::new(args, rate)?),
        "Lion8bit" => Box::new(EightBit::new(args, EightBitKind::Lion)?),
        "SGD" => Box::new(Sgd::new(args)?),
        "SGDNesterov" => {
            args.default("momentum", Literal::Float(0.9));
            args.default("nesterov", Literal::Bool(true));
            Box::new(Sgd::new(args)?)
        }
        "SGDNesterov8bit" => Box::new(EightBit::new(args, EightBitKind::Sgd)?),
        "Adafactor" => Box::new(Adafactor::new(args)?),
        "Prodigy" => Box::new(Prodigy::new(args)?),
        "DAdaptAdam" => Box::new(DAdaptAdam::new(args)?),
        "DAdaptAdamPreprint" => Box::new(DAdaptAdamPreprint::new(args)?),
        "DAdaptLion" => Box::new(DAdaptLion::new(args)?),
        "DAdaptSGD" => Box::new(DAdaptSgd::new(args)?),
        "DAdaptAdaGrad" => Box::new(DAdaptAdaGrad::new(args)?),
        "DAdaptAdan" => Box::new(DAdaptAdan::new(args, false)?),
        "DAdaptAdanIP" => Box::new(DAdaptAdan::new(args, true)?),
        "AdamWScheduleFree" => Box::new(ScheduleFree::new(args, Base::AdamW)?),
        "SGDScheduleFree" => Box::new(ScheduleFree::new(args, Base::Sgd)?),
        "RAdamScheduleFree" => Box::new(ScheduleFree::new(args, Base::RAdam)?),
        "RAdam" => Box::new(RAdam::new(args)?),
        "NAdam" => Box::new(NAdam::new(args)?),
        "Adagrad" => Box::new(Adagrad::new(args)?),
        "Adamax" => Box::new(Adamax::new(args)?),
        _ => Box::new(RmsProp::new(args)?),
    })
}
