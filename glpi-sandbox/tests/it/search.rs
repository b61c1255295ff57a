use serde_json::{Value, json};

use crate::client::Glpi;

const KEY: &str = "CALL-7f3a91c2e5";

/// `criteria[0][…]` and what else is asked.
fn search(field: u32, searchtype: &str, value: &str, rest: &str) -> String {
    format!(
        "/search/Ticket?criteria[0][field]={field}&criteria[0][searchtype]={searchtype}\
         &criteria[0][value]={value}{rest}"
    )
}

fn nothing() -> Value {
    json!({"totalcount": 0, "count": 0, "sort": ["1"], "order": ["ASC"], "content-range": "0--1/0"})
}

async fn ids(glpi: &Glpi, path: &str) -> Vec<u64> {
    let found = glpi.get(path).await.json();
    let rows = found["data"].as_array().cloned().unwrap_or_default();
    rows.iter().map(|row| row["2"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn a_search_that_finds_nothing_has_no_data() {
    let glpi = Glpi::start().await;
    glpi.creates(json!({"name": "x"})).await;
    let reply = glpi.get(&search(1, "contains", "zzznothing", "&forcedisplay[0]=2")).await;
    reply.assert_is(200, &nothing());
    assert_eq!(reply.header("content-range"), "");
    assert_eq!(reply.header("accept-range"), "Ticket 1000");
}

#[tokio::test]
async fn rows_are_keyed_by_option_and_hold_names() {
    let glpi = Glpi::start().await;
    glpi.creates(json!({
        "name": "Incident complet", "content": "<p>Texte riche</p>", "urgency": 4, "impact": 2,
        "priority": 5, "type": 2, "itilcategories_id": 1, "entities_id": 1, "locations_id": 1,
        "requesttypes_id": 3, "date": "2026-11-01 10:20:30", "_users_id_requester": 7,
        "_users_id_assign": 4, "_users_id_observer": 5, "_groups_id_assign": 1,
    }))
    .await;
    let options = [2, 1, 4, 5, 66, 8, 71, 7, 80, 83, 9, 14, 10, 11, 3, 12, 15, 21];
    let shown = options.map(|id| format!("&forcedisplay[]={id}")).concat();
    let reply = glpi.get(&search(1, "contains", "%5EIncident%20complet%24", &shown)).await;
    reply.assert_is(
        200,
        &json!({
            "totalcount": 1, "count": 1, "sort": ["1"], "order": ["ASC"], "data": [{
                "2": 1, "1": "Incident complet", "80": "Entité racine > Agence Lyon", "4": "7",
                "5": "4", "66": "5", "8": "Support N1", "71": null, "7": "Réseau",
                "83": "Bâtiment A", "9": "Phone", "14": 2, "10": 4, "11": 2, "3": 5, "12": 2,
                "15": "2026-11-01 10:20:30", "21": "&#60;p&#62;Texte riche&#60;/p&#62;",
            }], "content-range": "0-0/1",
        }),
    );
    assert_eq!(reply.header("content-range"), "0-0/1");
}

#[tokio::test]
async fn each_field_has_its_ways_of_being_searched() {
    let glpi = Glpi::start().await;
    glpi.creates(
        json!({"name": "lot 1", "content": "<p>Texte riche</p>", "date": "2026-11-01 10:20:30"}),
    )
    .await;
    glpi.creates(json!({"name": "Entité chaîne", "urgency": 4, "_users_id_requester": [7, 3], "itilcategories_id": 4})).await;
    glpi.creates(json!({"name": "lot 3", "_users_id_requester": 7, "status": 5})).await;
    for (field, searchtype, value, found) in [
        (1, "contains", "lot", vec![1, 3]),
        (1, "contains", "^lot 1$", vec![1]),
        (1, "contains", "lot%253", vec![3]),
        (1, "contains", "l_t 3", vec![]),
        (1, "contains", "ENTITE CHAINE", vec![2]),
        (1, "equals", "lot 1", vec![]),
        (1, "notcontains", "lot", vec![2]),
        (2, "equals", "2", vec![2]),
        (2, "contains", "3", vec![3]),
        (2, "contains", "%3E1", vec![2, 3]),
        (4, "equals", "7", vec![2, 3]),
        (4, "contains", "durand", vec![2, 3]),
        (7, "equals", "4", vec![2]),
        (7, "under", "1", vec![2]),
        (10, "equals", "4", vec![2]),
        (12, "equals", "notold", vec![2, 1]),
        (15, "lessthan", "2026-11-02 00:00:00", vec![1]),
        (15, "morethan", "2026-10-01 00:00:00", vec![2, 1, 3]),
        (21, "contains", "texte riche", vec![1]),
        (80, "equals", "0", vec![2, 1, 3]),
    ] {
        let path = search(field, searchtype, value, "&forcedisplay[0]=2");
        let mut expected = found;
        let mut actual = ids(&glpi, &path).await;
        expected.sort_unstable();
        actual.sort_unstable();
        assert_eq!(actual, expected, "{field} {searchtype} {value}");
    }
    let both = glpi.get(&search(1, "contains", "chaine", "&forcedisplay[0]=4")).await.json();
    assert_eq!(both["data"][0]["4"], json!(["3", "7"]));
}

#[tokio::test]
async fn criteria_combine_and_and_binds_tighter() {
    let glpi = Glpi::start().await;
    for (name, urgency) in [("a", 3), ("a", 4), ("b", 4)] {
        glpi.creates(json!({"name": name, "urgency": urgency})).await;
    }
    let urgent = |link: &str| {
        format!(
            "&criteria[1][link]={link}&criteria[1][field]=10&criteria[1][searchtype]=equals&criteria[1][value]=4&sort=2"
        )
    };
    assert_eq!(ids(&glpi, &search(1, "contains", "a", &urgent("AND"))).await, [2]);
    assert_eq!(ids(&glpi, &search(1, "contains", "a", &urgent("OR"))).await, [1, 2, 3]);
    assert_eq!(ids(&glpi, &search(1, "contains", "a", &urgent("AND%20NOT"))).await, [1]);
}

#[tokio::test]
async fn results_are_sorted_by_title_or_as_asked_and_paged() {
    let glpi = Glpi::start().await;
    for name in ["urgence 9", "Urgence 0", "urgence 5"] {
        glpi.creates(json!({"name": name})).await;
    }
    let page = glpi.get(&search(1, "contains", "urgence", "&forcedisplay[0]=2&range=0-1")).await;
    let entity = "Entité racine";
    page.assert_is(
        206,
        &json!({"totalcount": 3, "count": 2, "sort": ["1"], "order": ["ASC"], "data": [
            {"2": 2, "1": "Urgence 0", "80": entity}, {"2": 3, "1": "urgence 5", "80": entity},
        ], "content-range": "0-1/3"}),
    );
    assert_eq!(page.header("content-range"), "0-1/3");
    let sorted =
        glpi.get(&search(1, "contains", "urgence", "&range=0-0&sort=2&order=DESC")).await.json();
    assert_eq!((&sorted["sort"], &sorted["order"]), (&json!([2]), &json!(["DESC"])));
    assert_eq!(sorted["data"][0]["2"], 3);
    assert_eq!(sorted["content-range"], "0-0/3");

    let all = glpi.get("/search/Ticket?range=0-0").await.json();
    let columns: Vec<_> = all["data"][0].as_object().unwrap().keys().collect();
    assert_eq!(columns.len(), 11, "{columns:?}");
}

#[tokio::test]
async fn bad_criteria_have_their_errors() {
    let glpi = Glpi::start().await;
    glpi.creates(json!({"name": "urgence"})).await;
    let url = glpi.sandbox.url();
    for (path, code, text) in [
        (
            search(1, "contains", "urgence", "&range=5000-5010"),
            "ERROR_RANGE_EXCEED_TOTAL",
            "Provided range exceed total count of data: 1",
        ),
        (
            search(1, "contains", "urgence", "&range=zz"),
            "ERROR",
            "range must be in format : [start-end] with integers",
        ),
        (
            search(9999, "contains", "x", ""),
            "ERROR",
            "Identifiant de champ incorrect dans le critère de recherche",
        ),
        (
            "/search/Ticket?criteria[0][field]=1&criteria[0][searchtype]=contains".to_owned(),
            "ERROR",
            "Critère de recherche mal formé",
        ),
    ] {
        let see = "Afficher la documentation dans votre navigateur à";
        let text = format!("{text}; {see} {url}/apirest.php/#{code}");
        glpi.get(&path).await.assert_is(400, &json!([code, text]));
    }
    glpi.get("/search/Ticket?criteria=abc").await.assert_empty_success();
}

#[tokio::test]
async fn a_key_in_the_title_finds_its_ticket_again() {
    let glpi = Glpi::start().await;
    let input = json!({"name": format!("[{KEY}] Panne chaudière"), "content": format!("<p>Réf. appel : {KEY}</p>")});
    glpi.creates(input.clone()).await;
    glpi.creates(input).await;
    let prefix = format!("%5E%5B{KEY}%5D");
    let twice = search(1, "contains", &prefix, "&forcedisplay[0]=2&range=0-9&sort=2&order=ASC");
    assert_eq!(ids(&glpi, &twice).await, [1, 2]);
    assert_eq!(ids(&glpi, &search(21, "contains", KEY, "&sort=2")).await, [1, 2]);
    let text =
        format!("/Ticket?searchText[name]={prefix}&range=0-1&only_id=true&get_hateoas=false");
    glpi.get(&text).await.assert_is(200, &json!([{"id": 1}, {"id": 2}]));
    assert_eq!(ids(&glpi, &search(1, "contains", &prefix.to_lowercase(), "")).await.len(), 2);
    assert_eq!(ids(&glpi, &search(1, "contains", "%5E%5BCALL-%25%5D", "")).await.len(), 2);
    let underscore = prefix.replace('-', "_");
    assert!(ids(&glpi, &search(1, "contains", &underscore, "")).await.is_empty());

    glpi.send("DELETE", "/Ticket/1", &json!({})).await;
    assert_eq!(ids(&glpi, &twice).await, [2]);
    assert_eq!(ids(&glpi, &format!("{twice}&is_deleted=1")).await, [1]);
    let session = glpi.log_in_as("post-only", "postonly").await;
    glpi.get_as(&session, &search(1, "contains", &prefix, "&forcedisplay[0]=2&range=0-0"))
        .await
        .assert_is(200, &nothing());
}

#[tokio::test]
async fn encoded_characters_never_match() {
    let glpi = Glpi::start().await;
    glpi.creates(json!({"name": "a < b & c > d"})).await;
    for value in ["a%20%3C%20b", "a%20%26%2360%3B%20b"] {
        glpi.get(&search(1, "contains", value, "")).await.assert_is(200, &nothing());
    }
}

#[tokio::test]
async fn users_are_found_by_what_is_stored_of_them() {
    let glpi = Glpi::start().await;
    let find = async |field: u32, searchtype: &str, value: &str| {
        let path = search(field, searchtype, value, "&forcedisplay[0]=2");
        glpi.get(&path.replace("/Ticket", "/User")).await.json()
    };
    for (field, value) in [
        (5, "marie.durand%40example.org"),
        (5, "%5Emarie.durand%40example.org%24"),
        (6, "%2B33%201%2023%2045%2067%2089"),
        (11, "06%2012%2034%2056%2078"),
        (10, "0411223344"),
        (1, "%5Emarie.durand%24"),
        (34, "%5EDurand%24"),
    ] {
        let found = find(field, "contains", value).await;
        assert_eq!(
            (&found["totalcount"], &found["data"][0]["2"]),
            (&json!(1), &json!(7)),
            "{field} {value}"
        );
    }
    assert_eq!(find(5, "equals", "marie.durand%40example.org").await, nothing());
    for value in ["0123456789", "33123456789"] {
        assert_eq!(find(6, "contains", value).await, nothing());
    }
    let namesakes = find(34, "contains", "%5EMartin%24").await;
    assert_eq!(namesakes["totalcount"], 2);
    let any_phone = glpi
        .get("/search/User?criteria[0][field]=6&criteria[0][searchtype]=contains&criteria[0][value]=0411223344&criteria[1][link]=OR&criteria[1][field]=11&criteria[1][searchtype]=contains&criteria[1][value]=0411223344&criteria[2][link]=OR&criteria[2][field]=10&criteria[2][searchtype]=contains&criteria[2][value]=0411223344&forcedisplay[0]=2&forcedisplay[1]=1")
        .await;
    any_phone.assert_is(
        200,
        &json!({"totalcount": 1, "count": 1, "sort": ["1"], "order": ["ASC"], "data": [{
            "1": "marie.durand", "2": 7, "6": "+33 1 23 45 67 89", "11": "06 12 34 56 78", "10": "0411223344",
        }], "content-range": "0-0/1"}),
    );
}
