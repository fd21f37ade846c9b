//! What a page plays: the spectrum of an audio element's stream, measured in the page itself.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::json;

use super::tab::Tab;
use crate::wait::until;

/// The far side's tone must be this much louder than the own one, in dB.
const OWN_BELOW: f64 = 40.0;
/// Weaker than this is silence, in dB of full scale.
const AUDIBLE: f64 = -40.0;

/// A spectrum, as far as a journey asks for it.
#[derive(Debug, Deserialize)]
pub struct Heard {
    /// The loudest frequency, in hertz.
    pub peak_hertz: f64,
    /// The width of one line of the spectrum, in hertz.
    pub bin_hertz: f64,
    /// The loudest line's level, in dB of full scale.
    pub peak_db: f64,
    /// The level at the far side's frequency, in dB of full scale.
    pub wanted_db: f64,
    /// The level at the own frequency, in dB of full scale.
    pub own_db: f64,
}

impl Tab {
    /// Measures the stream of an audio element for half a second.
    pub async fn listen(&self, selector: &str, wanted: f64, own: f64) -> Result<Heard> {
        let arguments = json!([selector, wanted, own]);
        let mut heard = self.evaluate(&format!("({LISTEN})(...{arguments})")).await?;
        if let Some(why) = heard["why"].as_str() {
            anyhow::bail!("{why}");
        }
        serde_json::from_value(heard.take()).context("the spectrum is not as expected")
    }

    /// Waits until the page plays the far side's tone, and not its own.
    pub async fn expect_hears(&self, selector: &str, wanted: f64, own: f64, limit: Duration) -> Result<Heard> {
        until(&format!("{wanted} Hz in the ear of {}", self.name()), limit, async || {
            let heard = self.listen(selector, wanted, own).await?;
            ensure!(heard.peak_db > AUDIBLE, "it is silent: {heard:?}");
            ensure!((heard.peak_hertz - wanted).abs() <= heard.bin_hertz, "it is another tone: {heard:?}");
            ensure!(heard.own_db <= heard.wanted_db - OWN_BELOW, "the own tone comes back: {heard:?}");
            Ok(heard)
        })
        .await
    }

    /// Waits until the page plays nothing.
    pub async fn expect_silence(&self, selector: &str, limit: Duration) -> Result<()> {
        until(&format!("silence in the ear of {}", self.name()), limit, async || {
            // A page that has let go of the stream plays nothing either.
            if self.evaluate(&format!("!document.querySelector({})?.srcObject", json!(selector))).await? == true {
                return Ok(());
            }
            let heard = self.listen(selector, 440.0, 1_000.0).await?;
            ensure!(heard.peak_db <= AUDIBLE, "it plays: {heard:?}");
            Ok(())
        })
        .await
    }
}

/// The strongest of several spectra is kept per line: a packet more or less does not matter here.
const LISTEN: &str = "async (selector, wanted, own) => {
    const stream = document.querySelector(selector)?.srcObject;
    if (!stream) return { why: 'the audio element has no stream' };
    if (!stream.getAudioTracks().some((track) => track.readyState === 'live')) return { why: 'its stream has no live track' };
    const context = (window.__journeyEar ||= new AudioContext());
    await context.resume();
    const source = context.createMediaStreamSource(stream);
    const analyser = new AnalyserNode(context, { fftSize: 8192, smoothingTimeConstant: 0 });
    source.connect(analyser);
    const best = new Float32Array(analyser.frequencyBinCount).fill(-200);
    const now = new Float32Array(analyser.frequencyBinCount);
    await new Promise((done) => setTimeout(done, 250));
    for (let round = 0; round < 5; round++) {
        await new Promise((done) => setTimeout(done, 50));
        analyser.getFloatFrequencyData(now);
        now.forEach((level, index) => { if (level > best[index]) best[index] = level; });
    }
    source.disconnect();
    const bin_hertz = context.sampleRate / analyser.fftSize;
    const near = (hertz) => {
        const middle = Math.round(hertz / bin_hertz);
        return Math.max(...best.slice(middle - 1, middle + 2));
    };
    let peak = 1;
    best.forEach((level, index) => { if (index > 0 && level > best[peak]) peak = index; });
    return { peak_hertz: peak * bin_hertz, bin_hertz, peak_db: best[peak], wanted_db: near(wanted), own_db: near(own) };
}";
