//! What can be asked for: one struct per command, whose declaration is all that describes its options.
mod bench;
mod convert;
mod demo;
mod devices;
mod draw;
mod explain;
mod grid;
mod inspect;
mod likeness;
mod pick;
mod prepare;
mod rerun;
mod serve;
mod settings;

pub use bench::{Bench, Instructions, Work as BenchWork};
pub use convert::{Convert, FileType as ConvertType, Layout as ConvertLayout, Program};
pub use demo::Demo;
pub use devices::Devices;
pub use draw::{Content, Detail, Draw, Format, Hires, Image, ResizeMode};
pub use explain::Explain;
pub use grid::Grid;
pub use inspect::Inspect;
pub use likeness::{Likeness, Normalization};
pub use pick::Pick;
pub use prepare::{Framing, Prepare, PreparedFormat, Subject};
pub use rerun::Rerun;
pub use serve::Serve;
pub use settings::{Emphasis, Memory, Noise, Places, Settings};
pub use wayword_interface::options::{Layer, Seed, Sides, Size, Values};
pub use wayword_train::plan::TrainOptions;
pub use wayword_train::request::{Base, IfExists, Machine, Precision, Prediction, Train};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use wayword_interface::Diagnostic;
use wayword_interface::options::{OptionSpec, Options, SpecNames, nearest, schema};

/// The key of a request's command in JSON.
const COMMAND: &str = "command";

/// Everything that is there once for each command: its variant, and what its declaration tells.
macro_rules! requests {
    ($($command:literal $kind:ident($options:ty) $doc:literal;)*) => {
        /// A request of any kind. In JSON it is an object of its options beside
        /// `"command": "draw"`.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Request {
            $(#[doc = $doc] $kind(requests!(@form $kind $options)),)*
        }

        impl Request {
            /// All commands, in the order of the help.
            pub const COMMANDS: &'static [&'static str] = &[$($command),*];

            /// Its command: `draw`.
            #[must_use]
            pub const fn command(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => $command,)*
                }
            }

            /// A request from the options that were given; the others have their defaults.
            ///
            /// # Errors
            /// If there is no such command, or options contradict each other or miss others.
            pub fn from_layer(command: &str, given: Layer) -> Result<Self, Diagnostic> {
                match command {
                    $($command => {
                        given.check::<$options>()?;
                        Ok(Self::$kind(requests!(@read $kind given)))
                    })*
                    _ => Err(unknown(command)),
                }
            }

            /// A request from a JSON object of options and their command.
            ///
            /// # Errors
            /// If the command is missing or unknown, an option is unknown or its value does not
            /// fit, or options contradict each other.
            pub fn from_json(mut values: Values) -> Result<Self, Diagnostic> {
                let command = match values.remove(COMMAND) {
                    Some(Value::String(command)) => command,
                    other => {
                        let found = other.map_or("none".into(), |value| value.to_string());
                        let text = format!("`{COMMAND}`: expected a command's name, found {found}");
                        return Err(Diagnostic::new(text).with_hint(all()));
                    }
                };
                let given = match command.as_str() {
                    $($command => Layer::json::<$options>(&values)?,)*
                    _ => return Err(unknown(&command)),
                };
                Self::from_layer(&command, given)
            }

            /// The descriptions of a command's options, in the order of the help.
            #[must_use]
            pub fn specs(command: &str) -> Option<Vec<&'static OptionSpec>> {
                match command {
                    $($command => Some(<$options>::specs()),)*
                    _ => None,
                }
            }

            /// The JSON schema of a command's options, for a form.
            #[must_use]
            pub fn schema(command: &str) -> Option<Value> {
                match command {
                    $($command => Some(schema::<$options>()),)*
                    _ => None,
                }
            }

            /// The flags of all options, for texts that name fields.
            #[must_use]
            pub fn names() -> SpecNames {
                SpecNames::default()$(.with::<$options>())*.with::<Serve>()
            }

            /// Its options as JSON shows them: of a training those that were given, else all.
            #[must_use]
            pub fn values(&self) -> Values {
                match self {
                    $(Self::$kind(request) => request.values(),)*
                }
            }
        }
    };
    (@form Train $options:ty) => { Layer };
    (@form Check $options:ty) => { Layer };
    (@form $kind:ident $options:ty) => { Box<$options> };
    (@read Train $given:ident) => { $given };
    (@read Check $given:ident) => { $given };
    (@read $kind:ident $given:ident) => { Box::new($given.read()?) };
}

requests! {
    "train" Train(Train) "Learn a word. Only what was given counts: the rest comes from files and presets.";
    "check" Check(Train) "What a training would do and take.";
    "prepare" Prepare(Prepare) "Make training images of photos.";
    "rerun" Rerun(Rerun) "Repeat a run, bit for bit.";
    "pick" Pick(Pick) "Choose the best step of a run.";
    "draw" Draw(Draw) "Draw images.";
    "grid" Grid(Grid) "Draw one prompt with many settings.";
    "explain" Explain(Explain) "How a prompt is read.";
    "demo" Demo(Demo) "Learn and draw on the bundled model.";
    "likeness" Likeness(Likeness) "How similar images are.";
    "inspect" Inspect(Inspect) "What is in a file.";
    "convert" Convert(Convert) "Write a file in another form.";
    "bench" Bench(Bench) "Measure this machine.";
    "devices" Devices(Devices) "Which devices can compute.";
}

impl Request {
    /// A check of what a training would do.
    ///
    /// # Errors
    /// If options contradict each other or miss others.
    pub fn check(training: &Train) -> Result<Self, Diagnostic> {
        Self::from_layer("check", given(training)?)
    }

    /// The folders that its prompts may use.
    pub(crate) fn places_mut(&mut self) -> Option<&mut Places> {
        match self {
            Self::Draw(request) => Some(&mut request.places),
            Self::Grid(request) => Some(&mut request.places),
            Self::Explain(request) => Some(&mut request.places),
            _ => None,
        }
    }

    /// Whether it needs so little that it waits for no other job.
    #[must_use]
    pub const fn is_light(&self) -> bool {
        matches!(
            self,
            Self::Prepare(_)
                | Self::Explain(_)
                | Self::Inspect(_)
                | Self::Convert(_)
                | Self::Devices(_)
        )
    }
}

fn all() -> String {
    format!("commands are {}", Request::COMMANDS.join(", "))
}

fn unknown(command: &str) -> Diagnostic {
    let near = nearest(command, Request::COMMANDS).map(|near| format!("did you mean `{near}`?"));
    Diagnostic::new(format!("`{command}` is not a command")).with_hint(near.unwrap_or_else(all))
}

/// What of a training differs from the defaults: that counts as given.
fn given(training: &Train) -> Result<Layer, Diagnostic> {
    let plain = Train::default().values();
    let mut values = training.values();
    values.retain(|name, value| plain.get(name) != Some(value));
    Layer::json::<Train>(&values)
}

/// What differs from the defaults counts as given; files and presets decide the rest.
impl TryFrom<Train> for Request {
    type Error = Diagnostic;

    fn try_from(training: Train) -> Result<Self, Diagnostic> {
        Self::from_layer("train", given(&training)?)
    }
}

macro_rules! from_struct {
    ($($kind:ident),*) => {$(
        impl From<$kind> for Request {
            fn from(request: $kind) -> Self {
                Self::$kind(Box::new(request))
            }
        }
    )*};
}

from_struct!(
    Prepare, Rerun, Pick, Draw, Grid, Explain, Inspect, Convert, Likeness, Bench, Demo, Devices
);

impl Serialize for Request {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut values = self.values();
        values.insert(COMMAND.into(), self.command().into());
        values.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Request {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = Values::deserialize(deserializer)?;
        Self::from_json(values).map_err(|error| D::Error::custom(error.message))
    }
}
