//! The page: plain tables, no script, readable with `curl`.

use core::fmt::Write;

use serde_json::Value;
use stackd::report::Report;

/// Columns of each table, in order; what a row lacks is left empty.
const INTERFACES: &[&str] =
    &["interface", "name", "mac", "mtu", "offload", "up", "received", "sent"];
const ADDRESSES: &[&str] = &["interface", "address", "state"];
const ROUTES: &[&str] = &["destination", "via", "interface", "metric"];
const NEIGHBOURS: &[&str] = &["interface", "address", "mac", "state", "age_s"];
const CONNECTIONS: &[&str] = &[
    "local",
    "remote",
    "state",
    "receive_queue",
    "send_queue",
    "cwnd",
    "in_flight",
    "snd_wnd",
    "rcv_wnd",
    "mss",
    "srtt_us",
    "rto_ms",
    "retransmits",
    "bytes_acked",
    "bytes_received",
    "limiting",
];

/// Connections shown, at most; `/json` has all.
const ROWS: usize = 200;

const STYLE: &str = "body{font:14px/1.5 system-ui,sans-serif;margin:2em auto;max-width:75em;\
    padding:0 1em}table{border-collapse:collapse;margin:.3em 0 1.5em}\
    th,td{text-align:left;padding:.1em .8em .1em 0;border-bottom:1px solid #ddd;\
    font-variant-numeric:tabular-nums}h2{margin:0;font-size:1em}";

pub(super) fn html(report: &Report) -> String {
    let json = report.to_json();
    let mut page = format!(
        "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n<title>stackd</title>\n\
         <style>{STYLE}</style>\n<h1>stackd</h1>\n\
         <p>A TCP/IP stack in user space, and this page came through it. Up for {:.1} s, \
         pipeline <code>{}</code>, {} sockets. The same for scripts: <a href=/json>/json</a>; \
         N bytes to download: <a href=/bytes/1000000>/bytes/N</a>.</p>\n",
        report.uptime_s, report.pipeline, report.sockets
    );
    table(&mut page, "Interfaces", INTERFACES, &numbered(&json["interfaces"]));
    table(&mut page, "Addresses", ADDRESSES, rows(&json["addresses"]));
    table(&mut page, "Routes", ROUTES, rows(&json["routes"]));
    table(&mut page, "Neighbours", NEIGHBOURS, rows(&json["neighbours"]));
    table(&mut page, "Connections", CONNECTIONS, rows(&json["connections"]));
    counts(&mut page, "Drops by reason", &report.drops);
    counts(&mut page, "Counters", &report.counters);
    page.push_str("</html>\n");
    page
}

fn rows(list: &Value) -> &[Value] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Interfaces are known elsewhere by their number.
fn numbered(interfaces: &Value) -> Vec<Value> {
    let mut list = rows(interfaces).to_vec();
    for (index, row) in list.iter_mut().enumerate() {
        row["interface"] = format!("if{index}").into();
    }
    list
}

fn table(page: &mut String, title: &str, columns: &[&str], rows: &[Value]) {
    // Writing to a string does not fail.
    let _ = writeln!(page, "<h2>{title} ({})</h2>\n<table>", rows.len());
    row(page, "th", columns.iter().map(|column| column.replace('_', " ")));
    for values in rows.iter().take(ROWS) {
        row(page, "td", columns.iter().map(|column| shown(&values[*column])));
    }
    page.push_str("</table>\n");
}

fn counts(page: &mut String, title: &str, pairs: &[(&'static str, u64)]) {
    let _ = writeln!(page, "<h2>{title} ({})</h2>\n<table>", pairs.len());
    for (name, count) in pairs {
        row(page, "td", [(*name).to_owned(), count.to_string()].into_iter());
    }
    page.push_str("</table>\n");
}

fn row(page: &mut String, cell: &str, values: impl Iterator<Item = String>) {
    page.push_str("<tr>");
    for value in values {
        let _ = write!(page, "<{cell}>{}", escape(&value));
    }
    page.push('\n');
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(number) => format!("{number:.1}"),
            None => number.to_string(),
        },
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_report_says_is_on_the_page_and_escaped() {
        let report = Report {
            neighbours: vec![json!({"address": "10.9.0.1", "mac": null, "state": "<odd>"})],
            drops: vec![("ip.bad_checksum", 3)],
            ..Report::default()
        };
        let page = html(&report);
        for part in ["<td>10.9.0.1<td><td>&lt;odd&gt;", "<td>ip.bad_checksum<td>3"] {
            assert!(page.contains(part), "{part} is not in:\n{page}");
        }
    }
}
