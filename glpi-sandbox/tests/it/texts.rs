use serde_json::{Value, json};

use crate::client::Glpi;

#[tokio::test]
async fn titles_are_cut_at_255_characters_after_encoding() {
    let glpi = Glpi::start().await;
    for (sent, stored) in [
        ("a".repeat(255), "a".repeat(255)),
        ("b".repeat(256), "b".repeat(255)),
        ("é".repeat(300), "é".repeat(255)),
        ("x".repeat(250) + "<&>\"'", "x".repeat(250) + "&#60;"),
        ("y".repeat(254) + "&", "y".repeat(254) + "&"),
        ("z".repeat(254) + "😀", "z".repeat(254) + "😀"),
    ] {
        let reply = glpi.create(json!({"name": sent, "content": "c"})).await.json();
        let id = &reply["id"];
        assert_eq!(reply["message"], format!("Élément ajouté : {stored} ({id})"));
        assert_eq!(glpi.sandbox.tickets().pop().unwrap().name, stored);
    }
}

#[tokio::test]
async fn texts_come_back_encoded_or_raw_as_asked() {
    let glpi = Glpi::start().await;
    for (sent, message, encoded, raw) in [
        (
            "ligne1\nligne2\tfin",
            "ligne1\nligne2\tfin",
            "ligne1\nligne2\tfin",
            "ligne1\nligne2\tfin",
        ),
        ("Panne 😀🚒 𝔘", "Panne 😀🚒 𝔘", "Panne 😀🚒 𝔘", "Panne 😀🚒 𝔘"),
        (
            "a < b & c > d",
            "a &#60; b &#38; c &#62; d",
            "a &#60; b &#38; c &#62; d",
            "a < b & c > d",
        ),
        (
            "ent &lt;b&gt; &amp; &eacute;",
            "ent &lt;b&gt; &amp; &eacute;",
            "ent &lt;b&gt; &amp; &eacute;",
            "ent <b> &amp; &eacute;",
        ),
        (
            "C:\\temp\\new 'q' \"d\"",
            "C:tempnew 'q' \"d\"",
            "C:\\temp\\new 'q' \"d\"",
            "C:\\temp\\new 'q' \"d\"",
        ),
        (
            "ctl \u{1}\u{7}\u{1b}[31m",
            "ctl \u{1}\u{7}\u{1b}[31m",
            "ctl \u{1}\u{7}\u{1b}[31m",
            "ctl \u{1}\u{7}\u{1b}[31m",
        ),
        ("nul \0 fin", "nul  fin", "nul \0 fin", "nul \0 fin"),
        ("sauts\r\nligne", "sauts\nligne", "sauts\nligne", "sauts\nligne"),
    ] {
        let reply = glpi.create(json!({"name": sent, "content": sent})).await.json();
        let id = reply["id"].as_u64().unwrap();
        assert_eq!(reply["message"], format!("Élément ajouté : {message} ({id})"));
        let path = format!("/Ticket/{id}?get_hateoas=false");
        let stored = glpi.get(&path).await.json();
        assert_eq!((&stored["name"], &stored["content"]), (&json!(encoded), &json!(encoded)));
        let unsanitised = read_raw(&glpi, &path).await;
        assert_eq!((&unsanitised["name"], &unsanitised["content"]), (&json!(raw), &json!(raw)));
    }
}

async fn read_raw(glpi: &Glpi, path: &str) -> Value {
    let reply = glpi
        .call("GET", path, |r| {
            r.header("Session-Token", &glpi.session).header("X-GLPI-Sanitized-Content", "false")
        })
        .await;
    reply.json()
}

#[tokio::test]
async fn escaped_text_wrapped_in_a_tag_comes_back_byte_for_byte() {
    let glpi = Glpi::start().await;
    let content = "<p>Le client dit : &lt;script&gt;alert(1)&lt;/script&gt; &amp; 5 &lt; 6 \"x\"<br>ligne 2<br>😀</p>";
    let id = glpi.creates(json!({"name": "a & b < c", "content": content})).await;
    assert_eq!(read_raw(&glpi, &format!("/Ticket/{id}")).await["content"], content);

    let unwrapped = "5 &lt; 6 &amp; &lt;b&gt;gras&lt;/b&gt;";
    let id = glpi.creates(json!({"name": "Tom &amp; Jerry &lt;b&gt;", "content": unwrapped})).await;
    let read = read_raw(&glpi, &format!("/Ticket/{id}")).await;
    assert_eq!(read["name"], "Tom &amp; Jerry <b>");
    assert_eq!(read["content"], "5 < 6 &amp; <b>gras</b>");
}

#[tokio::test]
async fn a_message_is_raw_if_the_client_wants_raw_texts() {
    let glpi = Glpi::start().await;
    let reply = glpi
        .call("POST", "/Ticket", |r| {
            r.header("Session-Token", &glpi.session)
                .header("X-GLPI-Sanitized-Content", "false")
                .json(&json!({"input": {"name": "a & b <c>", "content": "c"}}))
        })
        .await;
    assert_eq!(reply.json()["message"], "Élément ajouté : a & b <c> (1)");
}

#[tokio::test]
async fn line_separators_are_escaped_and_other_characters_are_not() {
    let glpi = Glpi::start().await;
    let reply = glpi.create(json!({"name": "a\u{2028}b é/", "content": "c"})).await;
    assert!(reply.body.contains(r"a\u2028b é/"), "{}", reply.body);
}
