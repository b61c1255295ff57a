use glpi_sandbox::{Language, Options};
use serde_json::{Value, json};

use crate::client::Glpi;

const AUTHORIZATION: &str = "user_token sandbox-user-token";

#[tokio::test]
async fn a_session_opens_by_header_query_body_and_password() {
    let glpi = Glpi::start().await;
    let opened = [
        glpi.call("GET", "/initSession", |r| r.header("Authorization", AUTHORIZATION)).await,
        glpi.call("GET", "/initSession/", |r| r.header("authorization", AUTHORIZATION)).await,
        glpi.call("GET", "/initSession?user_token=sandbox-user-token", |r| r).await,
        glpi.call("POST", "/initSession", |r| r.json(&json!({"user_token": "sandbox-user-token"})))
            .await,
        glpi.call("GET", "/initSession", |r| r.basic_auth("glpi", Some("glpi"))).await,
        glpi.call("POST", "/initSession", |r| {
            r.json(&json!({"login": "glpi", "password": "glpi"}))
        })
        .await,
        glpi.try_call(
            "GET",
            "/initSession?app_token=sandbox-app-token&user_token=sandbox-user-token",
            |r| r,
        )
        .await
        .unwrap(),
    ];
    for reply in &opened {
        assert_eq!(reply.status, 200);
        let token = reply.json()["session_token"].as_str().unwrap().to_owned();
        assert_eq!(token.len(), 26);
        assert!(token.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
    }
    assert_eq!(glpi.sandbox.sessions(), 1 + opened.len());
}

#[tokio::test]
async fn an_answer_has_the_headers_of_glpi() {
    let glpi = Glpi::start().await;
    let reply = glpi.get("/getActiveEntities").await;
    for (name, value) in [
        ("server", "nginx/1.22.1"),
        ("content-type", "application/json; charset=UTF-8"),
        ("transfer-encoding", "chunked"),
        ("access-control-expose-headers", "content-type, content-range, accept-range"),
        ("pragma", "no-cache"),
        ("cache-control", "no-store, no-cache, must-revalidate"),
        ("expires", "Mon, 26 Jul 1997 05:00:00 GMT"),
    ] {
        assert_eq!(reply.header(name), value);
    }
    let created = glpi.create(json!({"name": "x"})).await;
    assert_eq!(created.header("access-control-expose-headers"), "");
    assert_eq!(created.header("expires"), "Mon, 26 Jul 1997 05:00:00 GMT");
}

fn documented(glpi: &Glpi, code: &str, text: &str) -> Value {
    let url = glpi.sandbox.url();
    json!([
        code,
        format!(
            "{text}; Afficher la documentation dans votre navigateur à {url}/apirest.php/#{code}"
        )
    ])
}

#[tokio::test]
async fn each_way_of_not_logging_in_has_its_error() {
    let glpi = Glpi::start().await;
    let app_token = |value: &'static str| {
        glpi.try_call("GET", "/initSession", move |r| {
            r.header("Authorization", AUTHORIZATION).header("App-Token", value)
        })
    };
    let missing = documented(
        &glpi,
        "ERROR_APP_TOKEN_PARAMETERS_MISSING",
        "le paramètre app_token est manquant",
    );
    let none =
        glpi.try_call("GET", "/initSession", |r| r.header("Authorization", AUTHORIZATION)).await;
    none.unwrap().assert_is(400, &missing);
    app_token("").await.unwrap().assert_is(400, &missing);
    app_token("wrongtoken").await.unwrap().assert_is(
        400,
        &documented(
            &glpi,
            "ERROR_WRONG_APP_TOKEN_PARAMETER",
            "le paramètre app_token semble incorrect",
        ),
    );

    let authorization = |value: &'static str| {
        glpi.call("GET", "/initSession", move |r| r.header("Authorization", value))
    };
    let no_credentials = documented(
        &glpi,
        "ERROR_LOGIN_PARAMETERS_MISSING",
        "le(s) paramètre(s) login, password ou user_token sont manquants",
    );
    for value in
        ["Bearer sandbox-user-token", "User_Token sandbox-user-token", "user_token  two-spaces"]
    {
        authorization(value).await.assert_is(400, &no_credentials);
    }
    glpi.call("GET", "/initSession", |r| r).await.assert_is(400, &no_credentials);
    authorization("user_token nope").await.assert_is(
        401,
        &json!(["ERROR_GLPI_LOGIN_USER_TOKEN", "le paramètre user_token semble incorrect"]),
    );
    for (login, password) in [("glpi", "wrong"), ("nobody", "x")] {
        glpi.call("GET", "/initSession", |r| r.basic_auth(login, Some(password)))
            .await
            .assert_is(401, &json!(["ERROR_GLPI_LOGIN", "Identifiant ou mot de passe incorrect"]));
    }
}

#[tokio::test]
async fn a_body_on_a_get_is_forbidden_in_english_without_a_url() {
    let glpi = Glpi::start().await;
    let reply = glpi
        .call("GET", "/initSession", |r| {
            r.header("Authorization", AUTHORIZATION).json(&json!({"a": 1}))
        })
        .await;
    reply.assert_is(
        400,
        &json!([
            "ERROR_JSON_PAYLOAD_FORBIDDEN",
            "GET Request should not have json payload (http body); view documentation in your \
             browser at /#ERROR_JSON_PAYLOAD_FORBIDDEN"
        ]),
    );
}

#[tokio::test]
async fn opening_a_session_kills_the_one_that_comes_along() {
    let glpi = Glpi::start().await;
    let reply = glpi
        .call("GET", "/initSession", |r| {
            r.header("Authorization", AUTHORIZATION).header("Session-Token", &glpi.session)
        })
        .await;
    assert_eq!(reply.status, 200);
    glpi.get("/getActiveEntities")
        .await
        .assert_is(401, &json!(["ERROR_SESSION_TOKEN_INVALID", "session_token semble incorrect"]));
}

#[tokio::test]
async fn a_killed_session_is_invalid_and_a_missing_one_is_another_error() {
    let glpi = Glpi::start().await;
    let invalid = json!(["ERROR_SESSION_TOKEN_INVALID", "session_token semble incorrect"]);
    let missing = documented(
        &glpi,
        "ERROR_SESSION_TOKEN_MISSING",
        "le paramètre session_token est manquant ou vide",
    );

    let second = glpi.log_in().await;
    glpi.get_as(&second, "/killSession").await.assert_is(200, &json!(true));
    glpi.get_as(&second, "/killSession").await.assert_is(401, &invalid);
    glpi.send_as(&glpi.log_in().await, "POST", "/killSession", &json!({}))
        .await
        .assert_is(200, &json!(true));
    for token in ["0123456789abcdefghijklmnop", "../../etc/passwd"] {
        glpi.get_as(token, "/getMyProfiles").await.assert_is(401, &invalid);
    }
    glpi.get_as("", "/getMyProfiles").await.assert_is(400, &missing);
    glpi.call("GET", "/killSession", |r| r).await.assert_is(400, &missing);
    assert_eq!(glpi.sandbox.sessions(), 1);
    assert_eq!(glpi.sandbox.sessions_opened(), 3);
}

#[tokio::test]
async fn checks_come_in_the_order_of_glpi() {
    let glpi = Glpi::start().await;
    let reply = glpi
        .try_call("POST", "/Ticket", |r| {
            r.header("Content-Type", "application/json").body(r#"{"input":"#)
        })
        .await
        .unwrap();
    reply.assert_is(400, &json!(["ERROR_JSON_PAYLOAD_INVALID", "JSON payload seems not valid"]));

    let stale = "0123456789abcdefghijklmnop";
    let reply = glpi
        .try_call("GET", "/getMyProfiles", |r| {
            r.header("App-Token", "wrong").header("Session-Token", stale)
        })
        .await
        .unwrap();
    assert_eq!(reply.json()[0], "ERROR_WRONG_APP_TOKEN_PARAMETER");

    let reply = glpi.send_as(stale, "POST", "/Nothing", &json!({"input": {}})).await;
    assert_eq!((reply.status, &reply.json()[0]), (401, &json!("ERROR_SESSION_TOKEN_INVALID")));

    let reply = glpi.send("POST", "/Tickett", &json!({"input": {}})).await;
    let unknown = documented(
        &glpi,
        "ERROR_RESOURCE_NOT_FOUND_NOR_COMMONDBTM",
        "la ressource n'a pas été trouvée ou n'est pas une instance de CommonDBTM",
    );
    reply.assert_is(400, &unknown);
    glpi.send("POST", "/ticket", &json!({"input": {}})).await.assert_is(400, &unknown);
    glpi.get("/Nothing/1").await.assert_is(400, &unknown);
    glpi.get("/search/Nothing").await.assert_is(400, &unknown);
}

#[tokio::test]
async fn messages_follow_the_user_then_the_browser_then_glpi() {
    let glpi = Glpi::start().await;
    let bad_token = |language: &'static str| {
        glpi.call("GET", "/initSession", move |r| {
            r.header("Authorization", "user_token bad").header("Accept-Language", language)
        })
    };
    let english = json!(["ERROR_GLPI_LOGIN_USER_TOKEN", "parameter user_token seems invalid"]);
    bad_token("en-GB").await.assert_is(401, &english);
    assert_eq!(bad_token("xx").await.json()[1], "le paramètre user_token semble incorrect");

    let reply = glpi
        .call("GET", "/Ticket/999999", |r| {
            r.header("Session-Token", &glpi.session).header("Accept-Language", "en-GB")
        })
        .await;
    reply.assert_is(404, &json!(["ERROR_ITEM_NOT_FOUND", "Élément introuvable"]));
    let session = glpi.log_in_as("post-only", "postonly").await;
    let reply = glpi.send_as(&session, "POST", "/Ticket", &json!({"input": {"name": "a"}})).await;
    assert_eq!(reply.json()["message"], "Item successfully added: a (1)");

    let options = Options { language: Language::English, ..Options::default() };
    let glpi = Glpi::start_with(options).await;
    let reply = glpi.create(json!({"name": "a"})).await;
    assert_eq!(reply.json()["message"], "Item successfully added: a (1)");
}

#[tokio::test]
async fn a_session_tells_its_entities_profile_and_configuration() {
    let glpi = Glpi::start().await;
    let active = json!({"active_entity": {
        "id": 0, "active_entity_recursive": 1, "active_entities": [{"id": 0}, {"id": 1}],
    }});
    glpi.get("/getActiveEntities").await.assert_is(200, &active);
    let in_query = format!("/getActiveEntities?session_token={}", glpi.session);
    glpi.call("GET", &in_query, |r| r).await.assert_is(200, &active);
    glpi.get("/getMyProfiles").await.assert_is(
        200,
        &json!({"myprofiles": [{"id": 4, "name": "Super-Admin", "entities": [
            {"id": 0, "name": "Entité racine", "is_recursive": 1},
        ]}]}),
    );
    let root = json!({"id": 0, "name": "Entité racine"});
    glpi.get("/getMyEntities").await.assert_is(200, &json!({"myentities": [root]}));
    glpi.get("/getMyEntities?is_recursive=true").await.assert_is(
        200,
        &json!({"myentities": [{"id": 1, "name": "Entité racine &#62; Agence Lyon"}, root]}),
    );
    let profile = glpi.get("/getActiveProfile").await.json();
    assert_eq!(profile["active_profile"]["name"], "Super-Admin");
    assert_eq!(profile["active_profile"]["ticket"].as_u64().unwrap() & 4, 4);
    let config = glpi.get("/getGlpiConfig").await.json();
    assert_eq!(config["cfg_glpi"]["version"], "10.0.12");
    assert_eq!(config["cfg_glpi"]["priority_matrix"]["5"]["1"], 2);
    let session = glpi.get("/getFullSession").await.json();
    assert_eq!(session["session"]["glpiname"], "glpi");
}

#[tokio::test]
async fn changing_the_entity_hides_the_others_from_the_whole_session() {
    let glpi = Glpi::start().await;
    let above = glpi.creates(json!({"name": "en haut"})).await;
    let glpi = &glpi;
    let change =
        |body: Value| async move { glpi.send("POST", "/changeActiveEntities", &body).await };

    change(json!({"entities_id": 999})).await.assert_is(200, &json!(false));
    let reply = change(json!({"entities_id": 0, "is_recursive": 1})).await;
    assert_eq!((reply.status, &reply.json()[0]), (400, &json!("ERROR")));
    change(json!({"entities_id": 1, "is_recursive": false})).await.assert_is(200, &json!(true));

    glpi.get("/getActiveEntities").await.assert_is(
        200,
        &json!({"active_entity": {
            "id": 1, "active_entity_recursive": false, "active_entities": [{"id": 1}],
        }}),
    );
    glpi.get(&format!("/Ticket/{above}")).await.assert_is(
        403,
        &json!([
            "ERROR_RIGHT_MISSING",
            "Vous n'avez pas les droits requis pour réaliser cette action."
        ]),
    );
    glpi.creates(json!({"name": "entité active 1"})).await;
    assert_eq!(glpi.sandbox.tickets()[1].entity, 1);
}

#[tokio::test]
async fn a_session_that_is_written_serves_one_request_at_a_time() {
    use glpi_sandbox::{Fault, Kind, Operation};
    let glpi = Glpi::start().await;
    glpi.sandbox.inject(Fault::new(Operation::CreateTicket, Kind::SlowCommit { ms: 60 }));
    let post = |path: &'static str| {
        let glpi = &glpi;
        async move { glpi.send("POST", path, &json!({"input": {"name": "x"}})).await.status }
    };
    let start = tokio::time::Instant::now();
    let locked = "/Ticket?session_write=true";
    assert_eq!(tokio::join!(post(locked), post(locked), post(locked)), (201, 201, 201));
    assert!(start.elapsed().as_millis() >= 180, "they waited for each other");
}

#[tokio::test]
async fn paths_outside_the_api_are_turned_away_and_its_root_is_a_page() {
    let glpi = Glpi::start().await;
    for path in ["/api/initSession", "//apirest.php/initSession", "/api.php/v1/initSession"] {
        let reply = glpi.control("GET", path, None).await;
        assert_eq!((reply.status, reply.body.as_str()), (403, ""));
        assert_eq!(reply.header("content-type"), "text/html; charset=UTF-8");
    }
    for path in ["/apirest.php", "/apirest.php/"] {
        let reply = glpi.control("GET", path, None).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("content-type"), "text/html; charset=UTF-8");
        assert!(reply.body.contains("<title>Documentation de l&#039;API"));
    }
}
