//! What the server for browsers and API clients is asked.
use std::path::PathBuf;
use wayword_interface::options;

options! {
    /// Serve the web page and A1111's API on this machine.
    ///
    /// The page is at the address that is printed. Programs that speak the API of A1111's web UI use the
    /// same address with `/sdapi/v1`. No base is loaded before the first job needs one. Ctrl-C stops the
    /// running job after its step and saves it. Other machines reach the server only with {serve.listen}.
    pub struct Serve("serve") {
        "Model" COMMON {
            /// Checkpoint that jobs use unless they name another [default: the last used, or the only one
            /// found]
            base: Option<PathBuf> => value_name: "CKPT";
        }
        "Folders" COMMON {
            /// Folder for everything that jobs write: embeddings, runs, images, uploads
            out: PathBuf = "wayword-out".into() => value_name: "DIR";
            /// Folder of checkpoints, embeddings, LoRAs and wildcards; may be given more than once. An
            /// installation of A1111 or ComfyUI can be given as a whole
            models: Vec<PathBuf> => value_name: "DIR";
            /// Folder of images that trainings and drawings may read; may be given more than once
            pictures: Vec<PathBuf> => value_name: "DIR";
        }
        "Network" COMMON {
            /// Port; 0 takes a free one
            port: u32 = 7860 => value_name: "N", max: 65535.0;
            /// Address to listen on, such as 0.0.0.0 for all networks; other machines then need the link
            /// that is printed, which holds a token [default: 127.0.0.1]
            listen: Option<String> => value_name: "ADDR";
            /// Name under which browsers may reach the server, beside localhost; may be given more than
            /// once
            host: Vec<String> => value_name: "NAME";
            /// Name and password that API clients give (HTTP Basic); everybody else needs the printed link
            api_auth: Option<String> => value_name: "USER:PASSWORD";
            /// Open the page in the browser
            open: bool => scope: Scope::Terminal;
        }
    }
}
