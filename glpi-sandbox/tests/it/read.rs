use serde_json::{Value, json};

use crate::client::Glpi;

/// A GLPI with the recorded ticket that has everything set; its number is 1.
async fn with_a_full_ticket() -> Glpi {
    let glpi = Glpi::start().await;
    glpi.creates(json!({
        "name": "Incident complet", "content": "<p>Texte riche</p>", "urgency": 4, "impact": 2,
        "priority": 5, "type": 2, "itilcategories_id": 1, "entities_id": 1, "locations_id": 1,
        "requesttypes_id": 3, "date": "2026-11-01 10:20:30", "_users_id_requester": 7,
    }))
    .await;
    glpi
}

#[tokio::test]
async fn a_ticket_is_read_with_all_its_columns() {
    let glpi = with_a_full_ticket().await;
    let reply = glpi.get("/Ticket/1?get_hateoas=false").await;
    assert!(reply.header("last-modified").ends_with(" GMT"));
    let mut ticket = reply.json();
    for stamp in ["date_mod", "date_creation"] {
        assert!(ticket[stamp].is_string());
        ticket[stamp] = Value::Null;
    }
    let expected = json!({
        "id": 1, "entities_id": 1, "name": "Incident complet", "date": "2026-11-01 10:20:30",
        "closedate": null, "solvedate": null, "takeintoaccountdate": null, "date_mod": null,
        "users_id_lastupdater": 2, "status": 1, "users_id_recipient": 2, "requesttypes_id": 3,
        "content": "&#60;p&#62;Texte riche&#60;/p&#62;", "urgency": 4, "impact": 2, "priority": 5,
        "itilcategories_id": 1, "type": 2, "global_validation": 1, "slas_id_ttr": 0,
        "slas_id_tto": 0, "slalevels_id_ttr": 0, "time_to_resolve": null, "time_to_own": null,
        "begin_waiting_date": null, "sla_waiting_duration": 0, "ola_waiting_duration": 0,
        "olas_id_tto": 0, "olas_id_ttr": 0, "olalevels_id_ttr": 0, "ola_tto_begin_date": null,
        "ola_ttr_begin_date": null, "internal_time_to_resolve": null,
        "internal_time_to_own": null, "waiting_duration": 0, "close_delay_stat": 0,
        "solve_delay_stat": 0, "takeintoaccount_delay_stat": 0, "actiontime": 0, "is_deleted": 0,
        "locations_id": 1, "validation_percent": 0, "date_creation": null,
    });
    assert_eq!(ticket, expected);
    assert!(reply.body.starts_with(r#"{"id":1,"entities_id":1,"name":"Incident complet","date""#));
}

#[tokio::test]
async fn names_can_stand_for_ids_and_links_can_be_left_out() {
    let glpi = with_a_full_ticket().await;
    let url = glpi.sandbox.url();
    let linked = glpi.get("/Ticket/1").await.json();
    let links = linked["links"].as_array().unwrap();
    assert_eq!(links[0], json!({"rel": "Entity", "href": format!("{url}/apirest.php/Entity/1")}));
    assert_eq!(links.last().unwrap()["rel"], "Supplier_Ticket");

    let named = glpi.get("/Ticket/1?expand_dropdowns=true&get_hateoas=false").await.json();
    for (column, name) in [
        ("entities_id", "Entité racine &#62; Agence Lyon"),
        ("users_id_recipient", "glpi"),
        ("requesttypes_id", "Phone"),
        ("itilcategories_id", "Réseau"),
        ("locations_id", "Bâtiment A"),
    ] {
        assert_eq!(named[column], name);
    }
    assert!(named.get("links").is_none());
}

#[tokio::test]
async fn ids_that_are_no_positive_number_give_the_list() {
    let glpi = Glpi::start().await;
    for index in 0..30 {
        glpi.creates(json!({"name": format!("n{index}")})).await;
    }
    for path in ["/Ticket", "/Ticket/0", "/Ticket/abc", "/Ticket/-1"] {
        let reply = glpi.get(path).await;
        assert_eq!((reply.status, reply.header("content-range")), (206, "0-20/30"));
        assert_eq!(reply.header("accept-range"), "Ticket 1000");
        assert_eq!(reply.json().as_array().unwrap().len(), 21);
    }
    glpi.get("/Ticket/999999")
        .await
        .assert_is(404, &json!(["ERROR_ITEM_NOT_FOUND", "Élément introuvable"]));
}

#[tokio::test]
async fn a_list_has_a_range_an_order_and_its_errors() {
    let glpi = Glpi::start().await;
    for name in ["lot 2", "lot 1", "autre"] {
        glpi.creates(json!({"name": name, "urgency": if name == "autre" { 4 } else { 3 }})).await;
    }
    for (query, status, ids, content_range) in [
        ("range=0-1&only_id=true", 206, json!([{"id": 1}, {"id": 2}]), "0-1/3"),
        ("range=0-99&only_id=true", 200, json!([{"id": 1}, {"id": 2}, {"id": 3}]), "0-2/3"),
        ("sort=id&order=DESC&range=0-0&only_id=true", 206, json!([{"id": 3}]), "0-0/3"),
        ("sort=name&only_id=true", 200, json!([{"id": 3}, {"id": 2}, {"id": 1}]), "0-2/3"),
        ("searchText[name]=lot%201&only_id=true", 200, json!([{"id": 2}]), "0-0/1"),
        ("searchText[name]=%5Elot%201%24&only_id=true", 200, json!([{"id": 2}]), "0-0/1"),
        ("searchText[urgency]=4&only_id=true", 200, json!([{"id": 3}]), "0-0/1"),
        ("searchText[id]=%5E2%24&only_id=true", 200, json!([{"id": 2}]), "0-0/1"),
        ("searchText[name]=zzznothing", 200, json!([]), ""),
        ("is_deleted=1", 200, json!([]), ""),
    ] {
        let reply = glpi.get(&format!("/Ticket?{query}")).await;
        reply.assert_is(status, &ids);
        assert_eq!(reply.header("content-range"), content_range, "{query}");
    }
    glpi.get("/Ticket?searchText[externalid]=CALL-0001").await.assert_empty_success();

    let url = glpi.sandbox.url();
    for (query, code, text) in [
        (
            "range=99999-100000",
            "ERROR_RANGE_EXCEED_TOTAL",
            "Provided range exceed total count of data: 3",
        ),
        ("range=abc", "ERROR", "range must be in format : [start-end] with integers"),
        ("sort=nofield", "ERROR", "sort param is not a field of glpi_tickets"),
    ] {
        let see = "Afficher la documentation dans votre navigateur à";
        let text = format!("{text}; {see} {url}/apirest.php/#{code}");
        glpi.get(&format!("/Ticket?{query}")).await.assert_is(400, &json!([code, text]));
    }
}

#[tokio::test]
async fn a_ticket_is_changed_binned_and_purged() {
    let glpi = Glpi::start().await;
    glpi.creates(json!({"name": "x"})).await;
    let urgency = |urgency: i64| json!({"input": {"urgency": urgency}});
    glpi.send("PUT", "/Ticket/1", &urgency(5))
        .await
        .assert_is(200, &json!([{"1": true, "message": ""}]));
    let ticket = glpi.sandbox.tickets().remove(0);
    assert_eq!((ticket.urgency, ticket.priority), (5, 4));
    glpi.send("PUT", "/Ticket/999999", &urgency(5))
        .await
        .assert_is(400, &json!(["ERROR_GLPI_UPDATE", null]));
    let several = json!({"input": [{"id": 1, "urgency": 4}, {"id": 999_999, "urgency": 4}]});
    glpi.send("PUT", "/Ticket", &several)
        .await
        .assert_is(207, &json!(["ERROR_GLPI_PARTIAL_UPDATE", [{"1": true, "message": ""}]]));

    let delete = async |path: &str| glpi.send("DELETE", path, &json!({})).await;
    delete("/Ticket/1").await.assert_is(200, &json!([{"1": true, "message": ""}]));
    assert!(glpi.sandbox.tickets()[0].deleted);
    assert_eq!(glpi.get("/Ticket/1").await.status, 200, "the trash can be read by id");
    delete("/Ticket/1?force_purge=true").await.assert_is(200, &json!([{"1": true, "message": ""}]));
    assert!(glpi.sandbox.tickets().is_empty());
    delete("/Ticket/1?force_purge=true")
        .await
        .assert_is(400, &json!(["ERROR_GLPI_DELETE", "Élément introuvable"]));
}

#[tokio::test]
async fn self_service_sees_its_own_tickets_and_no_users() {
    let glpi = Glpi::start().await;
    glpi.creates(json!({"name": "pas à lui"})).await;
    glpi.creates(json!({"name": "pour lui", "_users_id_requester": 3})).await;
    let session = glpi.log_in_as("post-only", "postonly").await;
    let own =
        glpi.send_as(&session, "POST", "/Ticket", &json!({"input": {"name": "de lui"}})).await;
    assert_eq!(own.status, 201);

    let no_right = "You don't have permission to perform this action.";
    let missing = json!(["ERROR_RIGHT_MISSING", no_right]);
    for path in ["/Ticket/1", "/User/7", "/User", "/search/User"] {
        glpi.get_as(&session, path).await.assert_is(403, &missing);
    }
    let list = glpi.get_as(&session, "/Ticket?only_id=true").await;
    list.assert_is(200, &json!([{"id": 2}, {"id": 3}]));
    let urgency = json!({"input": {"urgency": 1}});
    glpi.send_as(&session, "PUT", "/Ticket/1", &urgency)
        .await
        .assert_is(400, &json!(["ERROR_GLPI_UPDATE", no_right]));
    glpi.send_as(&session, "PUT", "/Ticket/3", &urgency)
        .await
        .assert_is(200, &json!([{"3": true, "message": ""}]));
    glpi.send_as(&session, "DELETE", "/Ticket/1", &json!({}))
        .await
        .assert_is(400, &json!(["ERROR_GLPI_DELETE", no_right]));
}

#[tokio::test]
async fn followups_need_a_ticket_and_a_text() {
    let glpi = Glpi::start().await;
    glpi.creates(json!({"name": "x"})).await;
    let post =
        async |path: &str, input: Value| glpi.send("POST", path, &json!({"input": input})).await;
    let full = json!({"itemtype": "Ticket", "items_id": 1, "content": "Suivi <b>un</b>\nligne 2"});
    post("/ITILFollowup", full).await.assert_is(201, &json!({"id": 1, "message": ""}));
    let below = json!({"itemtype": "Ticket", "items_id": 1, "content": "Suivi deux"});
    post("/Ticket/1/ITILFollowup", below).await.assert_is(201, &json!({"id": 2, "message": ""}));

    let no_right = "Vous n'avez pas les droits requis pour réaliser cette action.";
    for (path, input, message) in [
        ("/Ticket/1/ITILFollowup", json!({"content": "Suivi trois"}), no_right),
        (
            "/ITILFollowup",
            json!({"itemtype": "Ticket", "items_id": 999_999, "content": "x"}),
            no_right,
        ),
        (
            "/ITILFollowup",
            json!({"itemtype": "Ticket", "items_id": 1}),
            "Vous ne pouvez pas ajouter de suivi sans une description",
        ),
    ] {
        post(path, input).await.assert_is(400, &json!(["ERROR_GLPI_ADD", message]));
    }
    let reply = glpi.get("/Ticket/1/ITILFollowup?get_hateoas=false").await;
    assert_eq!((reply.status, reply.header("content-range")), (200, "0-1/2"));
    assert_eq!(reply.json()[0]["content"], "Suivi &#60;b&#62;un&#60;/b&#62;\nligne 2");
    assert_eq!(glpi.sandbox.followups().len(), 2);
}

#[tokio::test]
async fn a_requester_can_be_added_once() {
    let glpi = Glpi::start().await;
    glpi.creates(json!({"name": "x"})).await;
    let body = json!({"input": {"tickets_id": 1, "users_id": 7, "type": 1, "use_notification": 1}});
    glpi.send("POST", "/Ticket_User", &body).await.assert_is(201, &json!({"id": 1, "message": ""}));
    glpi.send("POST", "/Ticket_User", &body).await.assert_is(400, &json!(["ERROR_GLPI_ADD", ""]));
    assert_eq!(glpi.sandbox.tickets()[0].requesters[0].user, 7);
}

#[tokio::test]
async fn users_and_small_tables_can_be_read() {
    let glpi = Glpi::start().await;
    let marie = glpi.get("/User/7?get_hateoas=false").await.json();
    assert_eq!(
        (&marie["name"], &marie["phone"]),
        (&json!("marie.durand"), &json!("+33 1 23 45 67 89"))
    );
    let found = glpi.get("/User?searchText[phone]=33%201&get_hateoas=false").await;
    assert_eq!((found.header("content-range"), &found.json()[0]["id"]), ("0-0/1", &json!(7)));
    glpi.get("/User/7/UserEmail?get_hateoas=false").await.assert_is(
        200,
        &json!([{"id": 1, "users_id": 7, "is_default": 1, "is_dynamic": 0, "email": "marie.durand@example.org"}]),
    );
    for (path, field, value) in [
        ("/ITILCategory/1", "name", "Réseau"),
        ("/ITILCategory/4", "completename", "Réseau &#62; Wi-Fi"),
        ("/Location/1", "name", "Bâtiment A"),
        ("/RequestType/3", "name", "Phone"),
        ("/Entity/1", "completename", "Entité racine &#62; Agence Lyon"),
        ("/Entity/0", "name", "Entité racine"),
    ] {
        assert_eq!(glpi.get(path).await.json()[field], value);
    }
    assert_eq!(glpi.get("/ITILCategory/999").await.status, 404);
    assert_eq!(glpi.get("/RequestType").await.header("content-range"), "0-5/6");
}

#[tokio::test]
async fn other_verbs_read_and_options_says_nothing() {
    let glpi = Glpi::start().await;
    glpi.creates(json!({"name": "x"})).await;
    let foo = glpi.call("FOO", "/Ticket", |r| r.header("Session-Token", &glpi.session)).await;
    assert_eq!((foo.status, foo.header("content-range")), (200, "0-0/1"));
    let options = glpi.call("OPTIONS", "/Ticket", |r| r).await;
    assert_eq!((options.status, options.body.as_str()), (200, ""));
    assert_eq!(options.header("content-type"), "text/html; charset=UTF-8");
}
