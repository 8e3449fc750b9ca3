//! A headless Chromium, driven through its WebDriver.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Map, Value, json};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};
use url::Url;

use crate::Outcome;
use crate::site::free_address;

/// How long a condition on the page may take to come true.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at it.
const PAUSE: Duration = Duration::from_millis(100);

/// A browser with one page. Its processes end with it.
pub(crate) struct Browser {
    client: Client,
    pictures: PathBuf,
    profile: PathBuf,
    _driver: Child,
}

impl Browser {
    pub(crate) async fn start(pictures: PathBuf) -> Outcome<Self> {
        let address = free_address()?;
        let driver = Command::new("chromedriver")
            .arg(format!("--port={}", address.port()))
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(address).await.is_err() {
            if Instant::now() > until {
                return Err("chromedriver does not listen".into());
            }
            sleep(PAUSE).await;
        }
        let profile = std::env::temp_dir().join(format!("larder-chromium-{}", std::process::id()));
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities(&profile))
            .connect(&format!("http://{address}"))
            .await?;
        Ok(Self {
            client,
            pictures,
            profile,
            _driver: driver,
        })
    }

    pub(crate) async fn open(&self, url: &str) -> Outcome<()> {
        Ok(self.client.goto(url).await?)
    }

    /// Runs a script in the page: the body of a function.
    pub(crate) async fn run(&self, script: &str) -> Outcome<Value> {
        Ok(self.client.execute(script, Vec::new()).await?)
    }

    /// The text that a script answers with.
    pub(crate) async fn text(&self, script: &str) -> Outcome<String> {
        let value = self.run(script).await?;
        Ok(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }

    /// Waits until the script answers `true`.
    pub(crate) async fn until(&self, what: &str, script: &str) -> Outcome<()> {
        let until = Instant::now() + PATIENCE;
        while self.run(script).await? != Value::Bool(true) {
            if Instant::now() > until {
                return Err(format!("{what}: it did not come true within {} s", PATIENCE.as_secs()).into());
            }
            sleep(PAUSE).await;
        }
        println!("ok: {what}");
        Ok(())
    }

    /// Demands that the script answers `true` now.
    pub(crate) async fn holds(&self, what: &str, script: &str) -> Outcome<()> {
        let value = self.run(script).await?;
        if value != Value::Bool(true) {
            return Err(format!("{what}: {value}").into());
        }
        println!("ok: {what}");
        Ok(())
    }

    /// Clicks as a person does, where the element is.
    pub(crate) async fn click(&self, css: &str) -> Outcome<()> {
        // Not beneath the head of the page, which stays where it is.
        let centre = "arguments[0].scrollIntoView({ block: 'center', behavior: 'instant' })";
        let element = self.client.find(fantoccini::Locator::Css(css)).await?;
        self.client
            .execute(centre, vec![serde_json::to_value(&element)?])
            .await?;
        Ok(element.click().await?)
    }

    /// Types into a field that is empty then.
    pub(crate) async fn type_into(&self, css: &str, text: &str) -> Outcome<()> {
        let element = self.client.find(fantoccini::Locator::Css(css)).await?;
        element.clear().await?;
        Ok(element.send_keys(text).await?)
    }

    /// Presses a key, wherever the focus is.
    pub(crate) async fn press(&self, key: char) -> Outcome<()> {
        let focused = self.client.active_element().await?;
        Ok(focused.send_keys(&key.to_string()).await?)
    }

    pub(crate) async fn accept(&self) -> Outcome<()> {
        Ok(self.client.accept_alert().await?)
    }

    /// Shows the page at this width, in this colour scheme.
    pub(crate) async fn dress(&self, width: u32, height: u32, scheme: &str) -> Outcome<()> {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.devtools("Emulation.setDeviceMetricsOverride", size).await?;
        let media = json!({ "features": [
            { "name": "prefers-color-scheme", "value": scheme },
            // A click lands beside what still glides.
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ] });
        self.devtools("Emulation.setEmulatedMedia", media).await?;
        Ok(())
    }

    /// Writes the whole page as a picture.
    pub(crate) async fn picture(&self, name: &str) -> Outcome<()> {
        self.run("scrollTo({ top: 0, behavior: 'instant' })").await?;
        let how = json!({ "format": "png", "captureBeyondViewport": true });
        let shot = self.devtools("Page.captureScreenshot", how).await?;
        let data = shot["data"].as_str().ok_or("there is no picture")?;
        let file = self.pictures.join(format!("{name}.png"));
        std::fs::write(&file, STANDARD.decode(data)?)?;
        println!("written: {}", file.display());
        Ok(())
    }

    /// What the browser complained of: errors of scripts, what its policy forbade, what was not found.
    pub(crate) async fn complaints(&self) -> Outcome<Vec<String>> {
        let log = self
            .client
            .issue_cmd(Own::post("se/log", &json!({ "type": "browser" })))
            .await?;
        let lines = log.as_array().cloned().unwrap_or_default();
        let severe = lines.into_iter().filter(|line| line["level"] == "SEVERE");
        Ok(severe.map(|line| line["message"].to_string()).collect())
    }

    async fn devtools(&self, command: &str, params: Value) -> Outcome<Value> {
        let body = json!({ "cmd": command, "params": params });
        Ok(self
            .client
            .issue_cmd(Own::post("goog/cdp/execute", &body))
            .await?)
    }

    pub(crate) async fn close(self) {
        // Its driver is killed all the same.
        let _ = self.client.close().await;
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

fn capabilities(profile: &std::path::Path) -> Map<String, Value> {
    let arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--window-size=1280,900",
    ];
    let mut arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
    arguments.push(format!("--user-data-dir={}", profile.display()));
    let mut capabilities = Map::new();
    capabilities.insert("goog:chromeOptions".to_owned(), json!({ "args": arguments }));
    capabilities.insert("goog:loggingPrefs".to_owned(), json!({ "browser": "ALL" }));
    capabilities
}

/// A command of Chromium's own driver.
#[derive(Debug)]
struct Own {
    path: &'static str,
    body: String,
}

impl Own {
    fn post(path: &'static str, body: &Value) -> Self {
        Self {
            path,
            body: body.to_string(),
        }
    }
}

impl WebDriverCompatibleCommand for Own {
    fn endpoint(&self, base_url: &Url, session_id: Option<&str>) -> Result<Url, url::ParseError> {
        base_url.join(&format!(
            "session/{}/{}",
            session_id.unwrap_or_default(),
            self.path
        ))
    }

    fn method_and_body(&self, _: &Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.clone()))
    }
}
