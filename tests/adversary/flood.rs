//! One session asks for more than its share; the other does not notice.

use super::sessions;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// One flood at a time: each is measured by itself.
static ALONE: Mutex<()> = Mutex::new(());

/// Opens connections until none is to be had, says something on each now and then, and tells how many there were. On a
/// busy machine it takes longer to open as many.
const FLOOD: &str = r#"
use Socket; use IO::Handle;
my ($way, $word, $crumb, $last) = @ARGV;
my ($end, $opened, @open) = (time + $last, 0);
while (time < $end || ($opened < 600 && time < $end + 60)) {
    if (@open < 10000 && socket(my $s, $way eq "link" ? AF_INET : AF_UNIX, SOCK_STREAM, 0)) {
        $s->blocking(0);
        my $to = $way eq "link" ? sockaddr_in(47100, inet_aton("127.0.0.1")) : sockaddr_un("/run/clauderon/link.sock");
        if (connect($s, $to) || $!{EINPROGRESS}) { push @open, $s; $opened++; syswrite($s, $word); next if $opened % 50; }
    }
    syswrite($_, $crumb) for @open[0 .. ($#open < 600 ? $#open : 600)];
    select(undef, undef, undef, 0.05);
}
print "$opened\n";
"#;

fn flood(way: &str, word: &str, crumb: &str) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let sessions = sessions();
    assert_eq!(sessions.curl("b", "http://up.example/"), "200");
    let (descriptors, memory) = sessions.costs();
    let script = format!(
        "ulimit -n $(ulimit -Hn); perl -M5.010 -MErrno -e '{}' {way} $'{word}' $'{crumb}' 6",
        FLOOD.replace('\'', "'\\''")
    );
    let opened = std::thread::scope(|scope| {
        let flooding = scope.spawn(|| sessions.run("a", &script));
        std::thread::sleep(Duration::from_millis(1500));
        let (mut slowest, mut most) = (0.0, (0, 0));
        for _ in 0..5 {
            let timed = "curl -s -o /dev/null -w '%{http_code} %{time_total}' -m 20 http://up.example/";
            let said = sessions.run("b", timed);
            let took: f64 = said.strip_prefix("200 ").unwrap_or_else(|| panic!("{said}")).parse().unwrap();
            slowest = took.max(slowest);
            let (now, held) = sessions.costs();
            most = (most.0.max(now), most.1.max(held));
        }
        assert!(slowest < 5.0, "another session waited {slowest} s");
        assert!(most.0 < descriptors + 600, "descriptors went from {descriptors} to {}", most.0);
        assert!(most.1 < memory + 64 * 1024, "memory went from {memory} to {} KiB", most.1);
        flooding.join().unwrap()
    });
    let opened: usize = opened.trim().parse().unwrap_or_else(|_| panic!("{opened}"));
    assert!(opened >= 500, "only {opened} connections were opened");
    assert_eq!(sessions.curl("a", "http://up.example/"), "200", "it does not recover");
}

#[test]
fn ten_thousand_connections_and_trickled_heads_cost_a_bounded_part_of_the_daemon() {
    flood("socket", "proxy\\nGET http://up.example/ HTTP/1.1\\r\\nX: ", "x");
}

#[test]
fn ten_thousand_connections_through_the_link_are_borne() {
    flood("link", "CONNECT up.example:80 HTTP/1.1\\r\\nX: ", "x");
}
