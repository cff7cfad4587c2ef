//! What a list of devices is asked.
use wayword_interface::options;

options! {
    /// List the devices that can compute.
    ///
    /// The first one is the default of {any.device}.
    pub struct Devices("devices") {
        "Output" COMMON {
            /// Write one JSON object to standard output
            json: bool => scope: Scope::Terminal;
        }
    }
}
