//! The table: losses down, round trips and reordering across, the median goodput of all seeds.

use super::Run;
use super::course::Named;

/// The table as text; results stand in the order of courses, `runs` each.
pub(super) fn table(courses: &[Named], runs: u64, results: &[Run]) -> String {
    let cells: Vec<(&Named, String)> = courses
        .iter()
        .zip(results.chunks(usize::try_from(runs).unwrap_or(usize::MAX)))
        .map(|(course, runs)| (course, cell(runs)))
        .collect();
    let bytes = courses.first().map_or(0, |course| course.course.bytes);
    let mut text = format!(
        "Goodput of a transfer of {bytes} bytes, Mbit/s of virtual time, median of {runs} seeds\n\n"
    );
    let per_row = cells.iter().take_while(|(course, _)| course.row == cells[0].0.row).count();
    let head = |what: &str, number: fn(&Named) -> f64| {
        let columns = cells.iter().take(per_row);
        let numbers: String =
            columns.map(|(course, _)| format!("{:>9}", format!("{}", number(course)))).collect();
        format!("{what:<13}{numbers}\n")
    };
    text += &head("RTT ms", |course| course.rtt_ms);
    text += &head("reorder %", |course| course.reorder);
    for row in cells.chunks(per_row.max(1)) {
        text += &format!("{:<13}", row[0].0.row);
        text.extend(row.iter().map(|(_, cell)| format!("{cell:>9}")));
        text.push('\n');
    }
    text
}

/// The median, or that something was broken.
fn cell(runs: &[Run]) -> String {
    match median_bps(runs) {
        None => "BROKEN".to_owned(),
        Some(bps) if bps < 10e6 => format!("{:.2}", bps / 1e6),
        Some(bps) => format!("{:.0}", bps / 1e6),
    }
}

/// The median goodput, unless something was broken.
pub(super) fn median_bps(runs: &[Run]) -> Option<f64> {
    let bps: Option<Vec<u64>> = runs.iter().map(|run| Some(run.as_ref().ok()?.bps)).collect();
    let mut bps = bps?;
    bps.sort_unstable();
    bps.get(bps.len() / 2).map(|&bps| bps as f64)
}

#[cfg(test)]
mod tests {
    use sim::Failure;
    use sim::goodput::{self, Course};

    use super::super::course::Grid;
    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        grid: Grid,
    }

    fn courses(line: &str) -> anyhow::Result<Vec<Named>> {
        let words = ["sim"].into_iter().chain(line.split_whitespace());
        <Line as clap::Parser>::try_parse_from(words)?.grid.courses(false)
    }

    #[test]
    fn every_combination_is_a_course_and_the_table_has_a_cell_for_each() {
        let courses = courses("--loss 0,2 --rtt 1,40,100 --reorder 0,3").unwrap();
        assert_eq!(courses.len(), 12);
        assert_eq!(courses[11].flags, "--runs 1 --loss 2 --rtt 100 --reorder 3 --bytes 1000000");
        let one = goodput::run(&Course { bytes: 1000, ..courses[0].course }, 1, None).unwrap();
        let broken = Failure {
            seed: 1,
            at: layer::Instant::ZERO,
            what: String::new(),
            state: String::new(),
        };
        let mut results: Vec<Run> = vec![Ok(goodput::Goodput { bps: 7_654_321, ..one }); 11];
        results.push(Err(broken));
        let text = table(&courses, 1, &results);
        let rows: Vec<Vec<&str>> =
            text.lines().skip(2).map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[0], ["RTT", "ms", "1", "1", "40", "40", "100", "100"]);
        assert_eq!(rows[1], ["reorder", "%", "0", "3", "0", "3", "0", "3"]);
        assert_eq!(rows[2][..4], ["loss", "0", "%", "7.65"]);
        assert_eq!(rows[3][7..], ["7.65", "BROKEN"]);
    }

    #[test]
    fn nonsense_is_refused() {
        for line in
            ["--loss 100", "--loss=-1", "--rtt=-1", "--reorder 200", "--rate 0", "--bytes 0"]
        {
            assert!(courses(line).is_err(), "{line}");
        }
    }
}
