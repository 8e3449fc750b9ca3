//! What an operator does on the page, and what must come of it.

use crate::Outcome;
use crate::driver::Browser;
use crate::site::{Site, TOKEN};

/// A team that the load leaves alone.
const TEAM: &str = "/api/v1/teams/1";
/// The key `Tab` as a WebDriver sends it.
const TAB: char = '\u{e004}';

pub(crate) async fn all(site: &Site, browser: &Browser) -> Outcome<()> {
    nobody_passes_without_the_token(site).await?;
    let origin = format!("http://{}", site.address);
    browser.dress(1280, 900, "light").await?;
    browser
        .open(&format!("http://operator:{TOKEN}@{}/admin", site.address))
        .await?;
    the_charts_move(browser).await?;
    an_entry_is_found_forgotten_and_explained(site, browser).await?;
    markup_is_text(browser).await?;
    a_layer_is_switched_off_and_on(site, browser).await?;
    a_path_is_warmed(site, browser).await?;
    it_is_used_by_keyboard_and_read_aloud(browser).await?;
    nothing_comes_from_elsewhere(browser, &origin).await?;
    it_is_pictured(browser).await
}

fn is(what: &str, holds: bool) -> Outcome<()> {
    if !holds {
        return Err(what.into());
    }
    println!("ok: {what}");
    Ok(())
}

async fn nobody_passes_without_the_token(site: &Site) -> Outcome<()> {
    let answer = site.get("/admin").await?;
    is("without the token it is 401", answer.status == 401)
}

async fn the_charts_move(browser: &Browser) -> Outcome<()> {
    browser
        .until(
            "the page is live",
            "return document.getElementById('link').textContent === 'live'",
        )
        .await?;
    let charts = "return [...document.querySelectorAll('.card')].map((card) => card.querySelector('h3').textContent + \
                  card.querySelector('path.ratio').getAttribute('d') + card.querySelector('path.time').getAttribute('d')).join()";
    browser
        .until(
            "the layers have readings",
            "return [...document.querySelectorAll('path.ratio')].filter((path) => path.getAttribute('d').includes('L')).length >= 5",
        )
        .await?;
    let before = browser.text(charts).await?;
    let moved = format!("{charts} !== {}", serde_json::Value::from(before));
    browser
        .until(
            "the charts move",
            &moved
                .replacen("return ", "return (", 1)
                .replacen(" !== ", ") !== ", 1),
        )
        .await?;
    browser
        .until(
            "a rate is shown",
            "return parseInt(document.querySelector('#now dd').textContent) > 10",
        )
        .await
}

async fn an_entry_is_found_forgotten_and_explained(site: &Site, browser: &Browser) -> Outcome<()> {
    site.get(TEAM).await?;
    is(
        "the team is a hit",
        site.get(TEAM).await?.header("x-cache") == Some("HIT"),
    )?;
    browser.type_into("#search input[name=q]", TEAM).await?;
    browser.click("#search button").await?;
    browser
        .until(
            "the entry is found",
            "return [...document.querySelectorAll('#found tbody tr')].length === 1 && \
             document.querySelector('#found tbody code').textContent === '/api/v1/teams/1'",
        )
        .await?;
    browser.click("#found tbody button.danger").await?;
    browser
        .until(
            "it is forgotten",
            "return document.querySelector('#found tbody .pill')?.textContent === 'forgotten'",
        )
        .await?;
    browser.type_into("#why input[name=uri]", TEAM).await?;
    browser.click("#why button").await?;
    browser
        .until(
            "the page says why",
            "return document.querySelector('#because .says')?.textContent.includes('forgotten (tag), by `admin page`') === true",
        )
        .await?;
    is(
        "the next request is a miss",
        site.get(TEAM).await?.header("x-cache") == Some("MISS"),
    )?;
    browser.click("#why button").await?;
    browser
        .until(
            "and then a hit again",
            "return document.querySelector('#because .says').textContent.startsWith('A hit')",
        )
        .await
}

async fn markup_is_text(browser: &Browser) -> Outcome<()> {
    let tag = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>";
    browser.type_into("#forget input[name=value]", tag).await?;
    browser.click("#forget button").await?;
    let shown = serde_json::Value::from(tag);
    browser
        .until(
            "a tag that is markup is shown as it is",
            &format!("return [...document.querySelectorAll('#invalidations .tag')].some((tag) => tag.textContent === {shown})"),
        )
        .await?;
    browser
        .holds(
            "and does nothing",
            "return document.title === 'Larder' && document.images.length === 0 && document.scripts.length === 1",
        )
        .await
}

async fn a_layer_is_switched_off_and_on(site: &Site, browser: &Browser) -> Outcome<()> {
    let switch = "button[aria-label='the layer teams']";
    browser.click(switch).await?;
    browser.accept().await?;
    let is_checked = |on: bool| {
        format!("return document.querySelector(\"{switch}\").getAttribute('aria-checked') === '{on}'")
    };
    browser.until("the layer is off", &is_checked(false)).await?;
    is(
        "its requests go past it",
        site.get(TEAM).await?.header("x-cache") == Some("BYPASS"),
    )?;
    browser.click(switch).await?;
    browser.until("the layer is on", &is_checked(true)).await?;
    is(
        "and find what was kept",
        site.get(TEAM).await?.header("x-cache") == Some("HIT"),
    )
}

async fn a_path_is_warmed(site: &Site, browser: &Browser) -> Outcome<()> {
    let path = "/api/v1/products/2?delay_ms=1";
    browser.type_into("#warm textarea", path).await?;
    browser.click("#warm button").await?;
    browser
        .until(
            "a path is warmed",
            "return document.querySelector('#warmed li')?.textContent.includes('200, MISS') === true",
        )
        .await?;
    is(
        "for all who come",
        site.get(path).await?.header("x-cache") == Some("HIT"),
    )
}

async fn it_is_used_by_keyboard_and_read_aloud(browser: &Browser) -> Outcome<()> {
    browser.run("document.activeElement.blur(); scrollTo(0, 0); document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex')").await?;
    browser.press(TAB).await?;
    browser
        .holds(
            "the first stop of the keyboard leads to the content",
            "return document.activeElement.className === 'skip'",
        )
        .await?;
    browser
        .holds(
            "every field, button, picture and part has a name",
            "const named = (e) => e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length; \
             const all = [...document.querySelectorAll('input, select, textarea, button, svg[role=img], nav')]; \
             const without = all.filter((e) => !named(e)); \
             return without.length === 0 || without.map((e) => e.outerHTML).join()",
        )
        .await?;
    browser
        .holds(
            "every part has a heading, and no level is left out",
            "const levels = [...document.querySelectorAll('h1, h2, h3, h4')].map((e) => +e.tagName[1]); \
             return levels[0] === 1 && levels.every((level, at) => at === 0 || level <= levels[at - 1] + 1) && \
             [...document.querySelectorAll('section')].every((e) => document.getElementById(e.getAttribute('aria-labelledby')))",
        )
        .await?;
    browser
        .holds(
            "the focus stays where it is while the numbers change",
            "document.querySelector('.switch').focus(); return document.activeElement.className === 'switch'",
        )
        .await
}

async fn nothing_comes_from_elsewhere(browser: &Browser, origin: &str) -> Outcome<()> {
    let script = format!(
        "const all = performance.getEntriesByType('resource').map((one) => new URL(one.name)); \
         const other = all.filter((one) => one.origin !== '{origin}' || !one.pathname.startsWith('/admin/')); \
         return all.length > 3 && other.length === 0 || other.map((one) => one.href).join()"
    );
    browser.holds("nothing comes from elsewhere", &script).await?;
    let complaints = browser.complaints().await?;
    if complaints.is_empty() {
        return Ok(());
    }
    Err(format!("the browser complained: {}", complaints.join("; ")).into())
}

async fn it_is_pictured(browser: &Browser) -> Outcome<()> {
    browser.run("document.querySelector('#search input[name=q]').value = '/api/v1/t'; document.querySelector('#search').requestSubmit()").await?;
    for (size, width, height) in [("desk", 1280, 900), ("phone", 390, 844)] {
        for scheme in ["light", "dark"] {
            browser.dress(width, height, scheme).await?;
            browser
                .until(
                    &format!("{size}, {scheme}: nothing sticks out"),
                    &format!(
                        "return innerWidth === {width} && document.documentElement.scrollWidth <= {width} && \
                              matchMedia('(prefers-color-scheme: {scheme})').matches"
                    ),
                )
                .await?;
            browser
                .until(
                    "no message is in the way",
                    "return document.getElementById('said').textContent === ''",
                )
                .await?;
            browser.picture(&format!("{size}-{scheme}")).await?;
        }
    }
    Ok(())
}
