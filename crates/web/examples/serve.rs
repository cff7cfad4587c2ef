//! A server on the demo model, for looking at the page: `cargo run -p wayword-web --example serve OUT PORT`.
use wayword_session::Environment;
use wayword_session::request::Serve;
use wayword_web::Server;

#[expect(clippy::print_stdout, reason = "an example says where it is")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let out = arguments.next().unwrap_or_else(|| "wayword-out".into());
    let port = arguments.next().map_or(Ok(7860), |port| port.parse())?;
    let demo = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo");
    let options = Serve {
        base: Some(demo.join("wayword-mini.safetensors")),
        out: out.into(),
        models: vec![demo.clone()],
        pictures: vec![demo.join("concepts")],
        port,
        api_auth: arguments.next(),
        ..Serve::default()
    };
    let server = Server::bind(&options, Environment::default())?;
    println!("{}", server.link());
    Ok(server.run()?)
}
