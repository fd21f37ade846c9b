//! The audio library: upload, listen, use, delete; and text to speech where there is an engine.

use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, RANGE};
use serde_json::{Value, json};

use crate::stack::{Answer, Stack, send};

/// A WAV file of so many seconds of a tone: 16 kHz, two channels.
fn wav(seconds: u32) -> Vec<u8> {
    let data: Vec<u8> = (0..seconds * 16_000)
        .flat_map(|at| {
            let sample = if at % 40 < 20 { 9_000_i16 } else { -9_000 };
            [sample.to_le_bytes(), sample.to_le_bytes()].concat()
        })
        .collect();
    let length = u32::try_from(data.len()).unwrap();
    let mut file = Vec::new();
    file.extend(b"RIFF");
    file.extend((length + 36).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    for (value, width) in [(1_u32, 2), (2, 2), (16_000, 4), (64_000, 4), (4, 2), (16, 2)] {
        file.extend(&value.to_le_bytes()[..width]);
    }
    file.extend(b"data");
    file.extend(length.to_le_bytes());
    file.extend(data);
    file
}

async fn upload(stack: &Stack, by: &str, name: &str, bytes: Vec<u8>) -> Answer {
    let path = format!("/core/audio?name={}", name.replace('%', "%25").replace(' ', "%20").replace('&', "%26"));
    let request = stack.by_token(by, Method::POST, &path);
    send(request.header(CONTENT_TYPE, "audio/mpeg").body(bytes)).await
}

async fn done(stack: &Stack, job: &Value) -> Value {
    let path = format!("/core/audio/jobs/{}", job["id"].as_str().unwrap());
    let since = Instant::now();
    loop {
        let job = stack.get("Meera", &path).await.body;
        if job["state"] != "running" {
            return job;
        }
        assert!(since.elapsed() < Duration::from_secs(30), "{job}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_file_is_converted_once_played_used_and_only_then_kept_from_deletion() {
    let stack = Stack::unlimited().await;
    upload(&stack, "Asha", "Welcome", wav(1)).await.problem(403, "missing-right");
    upload(&stack, "Meera", "", wav(1)).await.problem(422, "invalid-field");
    // The name and the type say what they like.
    let begun = upload(&stack, "Meera", "Welcome.mp3", wav(2)).await;
    assert_eq!(begun.status, 202, "{}", begun.body);
    let audio = done(&stack, &begun.body).await["audio"].clone();
    assert_eq!(
        (&audio["ms"], &audio["source"]["format"], &audio["bytes"]),
        (&json!(2_000), &json!("wav"), &json!(32_044))
    );
    let id = audio["id"].as_str().unwrap();
    let path = format!("/core/audio/{id}");

    let part = send(stack.by_token("Meera", Method::GET, &path).header(RANGE, "bytes=0-43")).await;
    assert_eq!((part.status.as_u16(), part.headers[CONTENT_TYPE].to_str().unwrap()), (206, "audio/wav"));
    stack.get("Asha", &path).await.problem(403, "missing-right");

    let mut flow = stack.get("Meera", "/core/flows/main/draft").await.body["flow"].clone();
    flow["nodes"]["menu"]["audio"] = json!(format!("audio:{id}"));
    let saved = stack.ask("Meera", Method::PUT, "/core/flows/main/draft", &flow).await;
    assert_eq!(saved.body["findings"], json!([]));
    let refused = stack.delete("Meera", &path).await;
    assert_eq!(refused.problem(409, "in-use")["used_by"][0]["kind"], "draft");
    let published = send(stack.by_token("Meera", Method::POST, "/core/flows/main/publish")).await;
    assert_eq!(published.status, 200, "{}", published.body);
    let refused = stack.delete("Meera", &path).await;
    assert_eq!(refused.problem(409, "in-use")["used_by"][0]["kind"], "flow");
    let listed = stack.get("Meera", "/core/audio").await.body;
    assert_eq!(listed["audio"][0]["used_by"][0]["name"], "main");
    assert!(listed["prompts"].as_array().unwrap().len() > 40);

    let back = send(stack.by_token("Meera", Method::POST, "/core/flows/main/versions/1/restore")).await;
    assert_eq!(back.status, 200, "{}", back.body);
    assert_eq!(stack.delete("Meera", &path).await.status, 204);
    stack.get("Meera", &path).await.problem(404, "not-found");
    assert!(!stack.data_dir().join("audio").join(format!("{id}.wav")).exists());
    flow["nodes"]["menu"]["audio"] = json!(format!("audio:{id}"));
    let saved = stack.ask("Meera", Method::PUT, "/core/flows/main/draft", &flow).await;
    assert_eq!(saved.body["findings"][0]["error"], true, "a sound that is gone");
}

#[tokio::test]
async fn what_is_no_sound_or_too_much_of_it_is_refused_in_words() {
    let stack = Stack::unlimited().await;
    upload(&stack, "Meera", "big", vec![0; 10 * 1_048_576 + 1]).await.problem(413, "too-large");
    for (bytes, words) in [(b"#!/bin/sh\n".to_vec(), "no WAV, MP3 or Ogg"), (wav(301)[..9_000_000].to_vec(), "")] {
        let begun = upload(&stack, "Meera", "odd.mp3", bytes).await;
        let job = done(&stack, &begun.body).await;
        if !words.is_empty() {
            assert_eq!(job["state"], "failed");
            assert!(job["detail"].as_str().unwrap().contains(words), "{job}");
        }
    }
    stack.get("Meera", "/core/audio/jobs/x").await.problem(404, "not-found");
}

#[tokio::test]
async fn a_text_is_spoken_where_there_is_an_engine() {
    let stack = Stack::unlimited().await;
    let engine = stack.get("Meera", "/core/audio").await.body["speech"]["engine"].clone();
    let text = json!({ "name": "Night", "text": "We are closed now." });
    let asked = stack.ask("Meera", Method::POST, "/core/audio/speech", &text).await;
    let long = json!({ "name": "Long", "text": "a".repeat(501) });
    stack.ask("Meera", Method::POST, "/core/audio/speech", &long).await.problem(422, "invalid-field");
    if engine.is_null() {
        asked.problem(403, "not-allowed");
        return;
    }
    let audio = done(&stack, &asked.body).await["audio"].clone();
    assert_eq!(audio["source"], json!({ "type": "speech", "text": "We are closed now.", "language": "en" }));
    assert!(audio["ms"].as_u64().unwrap() > 500);
    let other = json!({ "name": "Klingon", "text": "nuqneH", "language": "tlh" });
    let refused = stack.ask("Meera", Method::POST, "/core/audio/speech", &other).await;
    assert_eq!(refused.problem(422, "invalid-field")["pointer"], "/language");
}
