use serde_json::json;

use crate::client::Glpi;

#[tokio::test]
async fn the_board_shows_tickets_as_glpi_would_and_nothing_hostile() {
    let glpi = Glpi::start().await;
    glpi.creates(json!({"name": "<i>premier</i>", "content": "Ligne 1\nLigne 2", "urgency": 4}))
        .await;
    glpi.creates(json!({
        "name": "second", "_users_id_requester": 7,
        "content": "<p>Bonjour<br>monde</p><script>alert(1)</script><img src=x onerror=alert(2)>",
    }))
    .await;
    let page = glpi.control("GET", "/", None).await;
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{policy}");
    assert!(page.body.contains("Ligne 1<br>Ligne 2"));
    assert!(page.body.contains("<p>Bonjour<br>monde</p>"));
    assert!(page.body.contains("Marie Durand"));
    assert!(page.body.contains(r#"<span class="urgency high">High</span>"#));
    assert!(page.body.contains(r#"http-equiv="refresh""#));
    for hostile in ["<script", "onerror", "<i>premier"] {
        assert!(!page.body.contains(hostile), "{hostile}");
    }
    let (second, first) = (page.body.find("#2").unwrap(), page.body.find("#1").unwrap());
    assert!(second < first, "the newest comes first");

    let style = glpi.control("GET", "/sandbox/board.css", None).await;
    assert_eq!(style.header("content-type"), "text/css; charset=utf-8");
    assert!(style.body.contains("prefers-color-scheme: dark"));
}

#[tokio::test]
async fn an_empty_board_says_so() {
    let glpi = Glpi::start().await;
    assert!(glpi.control("GET", "/", None).await.body.contains("No ticket yet."));
}
