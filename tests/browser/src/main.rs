//! Drives the admin page of the community example in headless Chromium, and writes what it looks like: `cargo x browser`.

mod driver;
mod journey;
mod site;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use tokio::time::timeout;

use crate::driver::Browser;
use crate::site::Site;

/// What went wrong, in a line.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// The end of a journey that hangs.
const DEADLINE: Duration = Duration::from_secs(240);

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [community, pictures] = words.as_slice() else {
        eprintln!("usage: browser COMMUNITY-PROGRAM FOLDER-FOR-PICTURES");
        return ExitCode::from(2);
    };
    match timeout(DEADLINE, run(Path::new(community), PathBuf::from(pictures))).await {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            eprintln!("browser: {error}");
            ExitCode::FAILURE
        }
        Err(_) => {
            eprintln!("browser: it took longer than {} s", DEADLINE.as_secs());
            ExitCode::FAILURE
        }
    }
}

async fn run(community: &Path, pictures: PathBuf) -> Outcome<()> {
    std::fs::create_dir_all(&pictures)?;
    let site = Site::start(community).await?;
    let browser = Browser::start(pictures).await?;
    let result = journey::all(&site, &browser).await;
    if result.is_err() {
        // What it looked like when it went wrong; that this fails too says nothing more.
        let _ = browser.picture("failed").await;
    }
    browser.close().await;
    result
}
