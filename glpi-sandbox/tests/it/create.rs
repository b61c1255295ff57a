use serde_json::{Value, json};

use crate::client::Glpi;

const JSON: &str = "application/json";
const NO_RIGHT: &str = "Vous n'avez pas les droits requis pour réaliser cette action.";

#[tokio::test]
async fn a_ticket_needs_little_and_gets_the_defaults() {
    let glpi = Glpi::start().await;
    let reply =
        glpi.create(json!({"name": "Panne imprimante", "content": "Ne démarre plus"})).await;
    reply.assert_is(201, &json!({"id": 1, "message": "Élément ajouté : Panne imprimante (1)"}));
    let url = glpi.sandbox.url();
    assert_eq!(reply.header("location"), format!("{url}/apirest.php/Ticket/1"));

    let ticket = glpi.sandbox.tickets().remove(0);
    assert_eq!(
        (ticket.name.as_str(), ticket.content.as_str()),
        ("Panne imprimante", "Ne démarre plus")
    );
    assert_eq!((ticket.urgency, ticket.impact, ticket.priority), (3, 3, 3));
    assert_eq!((ticket.kind, ticket.status, ticket.request_type), (1, 1, 1));
    assert_eq!((ticket.category, ticket.location, ticket.entity), (0, 0, 0));
    assert_eq!(ticket.recipient, 2);
    assert!(ticket.requesters.is_empty());
    assert_eq!(ticket.date, ticket.date_creation);
}

#[tokio::test]
async fn all_fields_are_stored_and_an_external_id_is_ignored() {
    let glpi = Glpi::start().await;
    glpi.creates(json!({
        "name": "Incident complet", "content": "<p>Texte riche</p>", "urgency": 4, "impact": 2,
        "priority": 5, "type": 2, "itilcategories_id": 1, "entities_id": 1, "locations_id": 1,
        "requesttypes_id": 3, "externalid": "CALL-0001", "date": "2026-11-01 10:20:30",
        "_users_id_requester": 7,
        "_users_id_requester_notif": {"use_notification": 1, "alternative_email": ""},
        "_groups_id_assign": 1, "_users_id_assign": 4, "_users_id_observer": 5,
        "users_id_recipient": 7,
    }))
    .await;
    let ticket = glpi.sandbox.tickets().remove(0);
    assert_eq!(ticket.content, "&#60;p&#62;Texte riche&#60;/p&#62;");
    assert_eq!(ticket.raw_content(), "<p>Texte riche</p>");
    assert_eq!((ticket.urgency, ticket.impact, ticket.priority), (4, 2, 5));
    assert_eq!((ticket.kind, ticket.status, ticket.request_type), (2, 2, 3));
    assert_eq!((ticket.category, ticket.location, ticket.entity), (1, 1, 1));
    assert_eq!(ticket.date, "2026-11-01 10:20:30");
    assert_eq!(ticket.recipient, 2);
    assert_eq!(ticket.requesters[0].user, 7);
    assert_eq!(ticket.assigned[0].user, 4);
    assert_eq!(ticket.observers[0].user, 5);
    assert_eq!(ticket.groups[0].group, 1);

    glpi.get("/Ticket/1/Ticket_User?get_hateoas=false").await.assert_is(
        200,
        &json!([
            {"id": 1, "tickets_id": 1, "users_id": 7, "type": 1, "use_notification": 1, "alternative_email": ""},
            {"id": 2, "tickets_id": 1, "users_id": 4, "type": 2, "use_notification": 1, "alternative_email": ""},
            {"id": 3, "tickets_id": 1, "users_id": 5, "type": 3, "use_notification": 1, "alternative_email": ""},
        ]),
    );
}

#[tokio::test]
async fn requesters_come_in_many_forms_and_unknown_ones_go_without_a_word() {
    let glpi = Glpi::start().await;
    for (input, users) in [
        (json!({"_users_id_requester": 7}), vec![7]),
        (json!({"_users_id_requester": "7"}), vec![7]),
        (json!({"_users_id_requester": [7, 3]}), vec![7, 3]),
        (json!({"_users_id_requester": 999_999}), vec![]),
        (json!({"_users_id_requester": "marie"}), vec![]),
        (json!({"_users_id_requester": null}), vec![]),
        (json!({"_actors": {"requester": [{"itemtype": "User", "items_id": 7}]}}), vec![7]),
    ] {
        glpi.creates(input.clone()).await;
        let ticket = glpi.sandbox.tickets().pop().unwrap();
        let stored: Vec<_> = ticket.requesters.iter().map(|actor| actor.user).collect();
        assert_eq!(stored, users, "{input}");
    }
}

#[tokio::test]
async fn an_anonymous_requester_needs_a_valid_address() {
    let glpi = Glpi::start().await;
    let anonymous = |id: Value, notify: Value, email: Value| {
        json!({
            "name": "anonyme", "content": "c", "_users_id_requester": id,
            "_users_id_requester_notif": {"use_notification": notify, "alternative_email": email},
        })
    };
    glpi.creates(anonymous(json!(0), json!(1), json!("client@example.com"))).await;
    glpi.creates(anonymous(json!([0]), json!([0]), json!(["client2@example.com"]))).await;
    glpi.creates(anonymous(json!(0), json!(1), json!("not-an-email"))).await;
    let tickets = glpi.sandbox.tickets();
    assert_eq!(tickets[0].requesters[0].email, "client@example.com");
    assert!(tickets[0].requesters[0].notify);
    assert_eq!(tickets[1].requesters[0].email, "client2@example.com");
    assert!(!tickets[1].requesters[0].notify);
    assert!(tickets[2].requesters.is_empty());
}

#[tokio::test]
async fn numbers_are_read_as_php_and_the_database_read_them() {
    let glpi = Glpi::start().await;
    for (input, levels) in [
        (json!({"urgency": 5, "impact": 1}), (5, 1, 2)),
        (json!({"priority": 6}), (3, 3, 6)),
        (json!({"priority": 99}), (3, 3, 99)),
        (json!({"urgency": 9}), (3, 3, 3)),
        (json!({"urgency": 0}), (3, 3, 3)),
        (json!({"urgency": "5"}), (5, 3, 4)),
        (json!({"urgency": 3.7}), (4, 3, 3)),
        (json!({"urgency": null}), (3, 3, 3)),
        (json!({"urgency": true}), (1, 3, 2)),
    ] {
        glpi.creates(input.clone()).await;
        let ticket = glpi.sandbox.tickets().pop().unwrap();
        assert_eq!((ticket.urgency, ticket.impact, ticket.priority), levels, "{input}");
    }
}

#[tokio::test]
async fn what_throws_in_php_is_an_empty_success_and_stores_nothing() {
    let glpi = Glpi::start().await;
    for input in [
        json!({"name": "urgence haute", "content": "c", "urgency": "haute"}),
        json!({"name": "urgence -1", "content": "c", "urgency": -1}),
        json!({"name": "urgence vide", "content": "c", "urgency": ""}),
        json!({"name": ["a", "b"], "content": "c"}),
        json!({"name": "contenu objet", "content": {"a": 1}}),
        json!({"name": "cat nom", "content": "c", "itilcategories_id": "Réseau"}),
    ] {
        glpi.create(input).await.assert_empty_success();
    }
    let in_query = glpi.send("POST", "/Ticket?input[name]=q&input[content]=c", &json!({})).await;
    in_query.assert_empty_success();
    assert!(glpi.sandbox.tickets().is_empty());
}

#[tokio::test]
async fn what_the_database_refuses_is_told_in_its_words() {
    let glpi = Glpi::start().await;
    for (input, message) in [
        (
            json!({"type": "incident"}),
            "Incorrect integer value: 'incident' for column `glpi`.`glpi_tickets`.`type` at row 1",
        ),
        (json!({"id": -5}), "Out of range value for column 'id' at row 1"),
        (json!({"date": "hier"}), "Valeur incorrecte pour le champ date."),
        (json!({"date": "2026-11-01"}), "Valeur incorrecte pour le champ date."),
        (json!({"date": "2026-11-01T10:20:30Z"}), "Valeur incorrecte pour le champ date."),
        (json!({"date": "2026-11-01 10:20:30+01:00"}), "Valeur incorrecte pour le champ date."),
        (
            json!({"date": "2026-13-45 10:20:30"}),
            "Incorrect datetime value: '2026-13-45 10:20:30' for column `glpi`.`glpi_tickets`.`date` at row 1",
        ),
        (json!({"entities_id": 999}), NO_RIGHT),
        (json!({"entities_id": "abc"}), NO_RIGHT),
        (
            json!({"_tickettemplate": 1}),
            "Les champs obligatoires ne sont pas définis. Merci de corriger : Catégorie",
        ),
    ] {
        glpi.create(input).await.assert_is(400, &json!(["ERROR_GLPI_ADD", message]));
    }
    assert!(glpi.sandbox.tickets().is_empty());
}

#[tokio::test]
async fn ids_that_lead_nowhere_are_stored() {
    let glpi = Glpi::start().await;
    glpi.creates(json!({"itilcategories_id": 999, "locations_id": 999, "requesttypes_id": 999}))
        .await;
    glpi.creates(json!({"_groups_id_assign": 999})).await;
    glpi.creates(json!({"itilcategories_id": "1", "entities_id": "1", "nimporte_quoi": "x"})).await;
    let tickets = glpi.sandbox.tickets();
    assert_eq!(
        (tickets[0].category, tickets[0].location, tickets[0].request_type),
        (999, 999, 999)
    );
    assert_eq!((tickets[1].status, tickets[1].groups.len()), (2, 0));
    assert_eq!((tickets[2].category, tickets[2].entity), (1, 1));
}

#[tokio::test]
async fn bodies_that_are_no_input_have_two_different_errors() {
    let glpi = Glpi::start().await;
    let session = glpi.session.as_str();
    let post = |content_type: &'static str, body: &'static [u8]| {
        glpi.call("POST", "/Ticket", move |r| {
            r.header("Session-Token", session).header("Content-Type", content_type).body(body)
        })
    };
    let deep = "[".repeat(600);
    let deep = glpi.call("POST", "/Ticket", |r| {
        r.header("Session-Token", &glpi.session).header("Content-Type", JSON).body(deep)
    });
    let mut invalid = vec![deep.await];
    for body in [
        &br#"{"input":{"name":"x",}"#[..],
        b"null",
        br#"{"input":{"name":"surrogate \ud83d fin","content":"c"}}"#,
        b"{\"input\":{\"name\":\"latin1 \xe9t\xe9\",\"content\":\"c\"}}",
        b"\xef\xbb\xbf{\"input\":{\"name\":\"bom\",\"content\":\"c\"}}",
    ] {
        invalid.push(post(JSON, body).await);
    }
    for reply in invalid {
        reply
            .assert_is(400, &json!(["ERROR_JSON_PAYLOAD_INVALID", "JSON payload seems not valid"]));
    }
    let url = glpi.sandbox.url();
    let bad_array = json!([
        "ERROR_BAD_ARRAY",
        format!(
            "Le paramètre input doit être un tableau d'objets; Afficher la documentation dans \
             votre navigateur à {url}/apirest.php/#ERROR_BAD_ARRAY"
        )
    ]);
    for (content_type, body) in [
        (JSON, &b""[..]),
        (JSON, br#"{"name":"x","content":"y"}"#),
        (JSON, br#"{"input":"abc"}"#),
        (JSON, br#"{"input":null}"#),
        (JSON, br#"[{"name":"x","content":"y"}]"#),
        (JSON, b"42"),
        ("text/plain", br#"{"input":{"name":"text plain","content":"c"}}"#),
        ("", br#"{"input":{"name":"no ctype","content":"c"}}"#),
    ] {
        post(content_type, body).await.assert_is(400, &bad_array);
    }
    assert!(glpi.sandbox.tickets().is_empty());

    let form =
        post("application/x-www-form-urlencoded", b"input[name]=form+enc&input[content]=c").await;
    form.assert_is(201, &json!({"id": 1, "message": "Élément ajouté : form enc (1)"}));
    let charset =
        post("application/json; charset=utf-8", br#"{"input":{"name":"premier","name":"second"}}"#);
    charset.await.assert_is(201, &json!({"id": 2, "message": "Élément ajouté : second (2)"}));
}

#[tokio::test]
async fn a_body_too_large_for_nginx_is_413() {
    let glpi = Glpi::start().await;
    let huge = "n".repeat(21_000_000);
    let reply = glpi.create(json!({"name": "21Mo", "content": huge})).await;
    assert_eq!((reply.status, reply.header("content-type")), (413, "text/html"));
    assert!(reply.body.contains("<center><h1>413 Request Entity Too Large</h1></center>"));
}

#[tokio::test]
async fn several_tickets_at_once_are_not_all_or_nothing() {
    let glpi = Glpi::start().await;
    let url = format!("{}/apirest.php/Ticket", glpi.sandbox.url());
    let reply =
        glpi.create(json!([{"name": "lot 1", "content": "a"}, {"name": "", "content": ""}])).await;
    reply.assert_is(
        201,
        &json!([
            {"id": 1, "message": "Élément ajouté : lot 1 (1)"},
            {"id": 2, "message": "Élément ajouté : Ticket - ID 2 (2)"},
        ]),
    );
    assert_eq!(reply.header("link"), format!("{url}/1,{url}/2"));

    let mixed = r#"{"input":[{"name":"lot 4"},{"name":"lot 5","entities_id":999}]}"#;
    let raw = glpi.exchange(&glpi.raw("POST /apirest.php/Ticket", mixed)).await.unwrap();
    assert!(raw.starts_with("HTTP/1.1 207 \r\n"), "no reason phrase: {raw}");
    assert!(raw.contains(&format!(
        r#"["ERROR_GLPI_PARTIAL_ADD",[{{"id":3,"message":"Élément ajouté : lot 4 (3)"}},{{"id":false,"message":"{NO_RIGHT}"}}]]"#
    )));
    assert!(!raw.contains("\r\nlink:"));

    let refused = json!({"id": false, "message": NO_RIGHT});
    glpi.create(json!([{"entities_id": 999}, {"entities_id": 998}]))
        .await
        .assert_is(400, &json!(["ERROR_GLPI_ADD", [refused, refused]]));
    glpi.create(json!([])).await.assert_is(400, &json!(["ERROR_GLPI_ADD", []]));
    glpi.create(json!(["abc", {"name": "lot 6"}])).await.assert_empty_success();
    glpi.create(json!([{"name": "lot fatal A"}, {"urgency": "haute"}, {"name": "lot fatal C"}]))
        .await
        .assert_empty_success();
    let names: Vec<_> = glpi.sandbox.tickets().into_iter().map(|ticket| ticket.name).collect();
    assert_eq!(names, ["lot 1", "", "lot 4", "lot fatal A"]);
}

#[tokio::test]
async fn a_client_that_chooses_ids_moves_the_counter_or_gets_a_clone() {
    let glpi = Glpi::start().await;
    assert_eq!(glpi.creates(json!({"id": 4242, "name": "id donné", "urgency": 5})).await, 4242);
    assert_eq!(glpi.creates(json!({"name": "après"})).await, 4243);
    assert_eq!(glpi.creates(json!({"id": "abc", "name": "id abc"})).await, 4244);
    assert_eq!(glpi.creates(json!({"id": 4242, "name": "clone ?"})).await, 4245);
    let clone = glpi.sandbox.tickets().pop().unwrap();
    assert_eq!((clone.name.as_str(), clone.urgency), ("clone ?", 5));
}

#[tokio::test]
async fn a_missing_title_is_made_from_the_content() {
    let glpi = Glpi::start().await;
    let long = "contenu sans clé name, assez long pour voir comment GLPI fabrique le titre à \
                partir du contenu quand il dépasse soixante-dix caractères";
    for (input, name) in [
        (json!({"name": "", "content": "contenu sans titre"}), "contenu sans titre"),
        (
            json!({"content": long}),
            "contenu sans clé name, assez long pour voir comment GLPI fabrique le t",
        ),
        (json!({"name": "   ", "content": "contenu"}), "contenu"),
        (json!({"name": null, "content": "c"}), "c"),
        (json!({"name": false, "content": "c"}), "c"),
        (json!({"name": 12345, "content": "c"}), "12345"),
        (json!({"name": "titre", "content": null}), "titre"),
        (json!({}), ""),
    ] {
        glpi.creates(input.clone()).await;
        assert_eq!(glpi.sandbox.tickets().pop().unwrap().name, name, "{input}");
    }
}

#[tokio::test]
async fn other_profiles_create_too_but_their_priority_is_computed() {
    let glpi = Glpi::start().await;
    let input = json!({"input": {
        "name": "x", "content": "c", "urgency": 5, "impact": 5, "priority": 1, "status": 5,
        "_users_id_requester": 7,
    }});
    for (login, password, id) in
        [("post-only", "postonly", 3), ("tech", "tech", 4), ("normal", "normal", 5)]
    {
        let session = glpi.log_in_as(login, password).await;
        let reply = glpi.send_as(&session, "POST", "/Ticket", &input).await;
        assert_eq!(reply.status, 201);
        let ticket = glpi.sandbox.tickets().pop().unwrap();
        assert_eq!((ticket.priority, ticket.recipient, ticket.status), (5, id, 5));
        assert_eq!(ticket.requesters[0].user, 7);
    }
}

#[tokio::test]
async fn dates_are_stamped_by_the_clock_of_the_server() {
    use jiff::{SignedDuration, tz};
    let ahead = glpi_sandbox::Options {
        time_zone: tz::TimeZone::fixed(tz::offset(2)),
        clock_ahead: SignedDuration::from_hours(24 * 365 * 100),
        ..Default::default()
    };
    let glpi = Glpi::start_with(ahead).await;
    glpi.creates(json!({"name": "x", "date": ""})).await;
    let ticket = glpi.sandbox.tickets().remove(0);
    assert!(ticket.date.starts_with("21"), "a century ahead: {}", ticket.date);
    assert_eq!(ticket.date, ticket.date_mod);
    assert_eq!(ticket.date.len(), "2026-11-24 03:07:44".len());
}
