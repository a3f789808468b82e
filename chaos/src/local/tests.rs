use std::os::unix::fs::PermissionsExt;

use super::*;

fn options(dir: &Path, nodes: usize) -> Options {
    Options {
        binary: "/bin/true".into(),
        dir: dir.to_owned(),
        nodes,
        settings: Vec::new(),
        environment: Vec::new(),
        ports: (17_700, 17_780, 17_860),
    }
}

#[test]
fn a_directory_keeps_its_plan_and_its_secret() {
    let dir = tempfile::tempdir().expect("a folder");
    let first = LocalCluster::plan(options(dir.path(), 3), || "one".into()).expect("planned");
    let again = LocalCluster::plan(options(dir.path(), 3), || "two".into()).expect("read");
    assert_eq!(first.manifest.nodes, again.manifest.nodes);
    assert_eq!(again.manifest.token, "one");
    let mode = std::fs::metadata(dir.path().join("cluster.json")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let refused = LocalCluster::plan(options(dir.path(), 5), || "x".into()).err().expect("refused");
    let text = refused.to_string();
    assert!(text.contains("a cluster of 3 nodes, not 5: use --nodes 3, or another --data-dir"), "{text}");
}
