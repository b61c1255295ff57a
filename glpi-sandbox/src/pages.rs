//! The HTML that comes where JSON was expected.

/// GLPI's own page, sent with 200 by every endpoint in that state.
pub(crate) fn glpi(title: &str, text: &str) -> String {
    format!(
        "\n\n<!DOCTYPE html>\n<html lang=\"\"       >\n<head>\n   <title>{title} - GLPI</title>\n\n   \
         <meta charset=\"utf-8\" />\n      <meta name=\"robots\" content=\"noindex, nofollow\" />\n\
         </head>\n<body>\n<div class=\"page-body\">{text}</div>\n</body>\n</html>\n"
    )
}

pub(crate) fn maintenance() -> String {
    glpi("MAINTENANCE MODE", "Service is down for maintenance. It will be back shortly.")
}

pub(crate) fn mysql_error() -> String {
    glpi(
        "Mysql Error",
        "A link to the SQL server could not be established. Please check your configuration. \
         Le serveur Mysql est inaccessible. Vérifiez votre configuration.",
    )
}

pub(crate) fn documentation() -> String {
    glpi("Documentation de l&#039;API", "GLPI REST API: Documentation")
}

/// nginx's page for an error of its own, such as `502 Bad Gateway`.
pub(crate) fn nginx(status: u16) -> String {
    let reason = nginx_reason(status);
    format!(
        "<html>\r\n<head><title>{status} {reason}</title></head>\r\n<body>\r\n<center><h1>{status} \
         {reason}</h1></center>\r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n"
    )
}

/// nginx's own words, which differ from the standard's for 413 and 504.
pub(crate) fn nginx_reason(status: u16) -> &'static str {
    match status {
        413 => "Request Entity Too Large",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Temporarily Unavailable",
        504 => "Gateway Time-out",
        _ => "Error",
    }
}
