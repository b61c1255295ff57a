//! `bench` measures three ways and counts what reaches GLPI; how fast is not judged here.

use serde_json::Value;

use crate::process;

#[tokio::test]
async fn each_way_answers_every_call_at_one_request_to_glpi() {
    let arguments = ["bench", "--seconds", "1", "--callers", "2", "--glpi-ms", "0", "--json"];
    let output = process::output(&arguments, &[]).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");

    let told = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let cells: Vec<&Value> = lines.iter().filter(|line| line["measured"] == "cell").collect();
    assert_eq!(cells.len(), 3, "{told}");
    for cell in cells {
        assert_eq!(cell["errors"], 0, "{cell}");
        assert_eq!(cell["glpi_requests_per_call"], 1.0, "{cell}");
    }
    let floods: Vec<&Value> = lines.iter().filter(|line| line["measured"] == "flood").collect();
    assert_eq!(floods.len(), 2, "{told}");
    for flood in floods {
        // A busy machine may not even make as many calls as are allowed.
        let number = |pointer: &str| flood.pointer(pointer).unwrap().as_f64().unwrap();
        let allowed = number("/limit_per_second") * (number("/beside/seconds") + 3.0);
        assert!(number("/taken") <= allowed, "{flood}");
        assert_eq!(flood["odd"], 0, "{flood}");
        assert_eq!(flood["beside"]["errors"], 0, "{flood}");
    }
}
