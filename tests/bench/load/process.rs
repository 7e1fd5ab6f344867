//! Processor time and memory of processes, from `/proc`.

use std::collections::BTreeSet;

/// Clock ticks in a second, as Linux tells all programs.
const TICKS: f64 = 100.0;

/// The named processes (ids with commas) and their descendants.
pub fn tree(named: &str) -> Vec<u32> {
    let mut found: BTreeSet<u32> = named.split(',').filter_map(|id| id.parse().ok()).collect();
    let parents: Vec<(u32, u32)> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let id = entry.ok()?.file_name().to_str()?.parse().ok()?;
            Some((id, fields(id)?.get(1)?.parse().ok()?))
        })
        .collect();
    loop {
        let before = found.len();
        let children = parents.iter().filter(|(_, parent)| found.contains(parent)).map(|(id, _)| *id);
        let children: Vec<u32> = children.collect();
        found.extend(children);
        if found.len() == before {
            return found.into_iter().collect();
        }
    }
}

/// The fields of `/proc/ID/stat` from the state on.
fn fields(id: u32) -> Option<Vec<String>> {
    let text = std::io::read_to_string(std::fs::File::open(format!("/proc/{id}/stat")).ok()?).ok()?;
    Some(text.rsplit_once(") ")?.1.split(' ').map(str::to_owned).collect())
}

/// Seconds of processor time that they have taken.
pub fn processor(ids: &[u32]) -> f64 {
    let taken = |id: &u32| {
        let fields = fields(*id)?;
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
        Some((ticks(11)? + ticks(12)?) / TICKS)
    };
    ids.iter().filter_map(taken).sum()
}

/// Their resident memory in kB.
pub fn resident(ids: &[u32]) -> f64 {
    let resident = |id: &u32| {
        let text = std::io::read_to_string(std::fs::File::open(format!("/proc/{id}/status")).ok()?).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().split(' ').next()?.parse::<f64>().ok()
    };
    ids.iter().filter_map(resident).sum()
}
