//! PostgreSQL beside us, where it is installed: `pgbench` with one prepared one-row `UPDATE` for each transaction, by as
//! many clients, on the same disk in the same minute.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::{Times, note};

/// How long it is measured, in seconds.
const SPAN_S: u64 = 5;

/// Rate per second and times; nothing where PostgreSQL is not installed.
pub(crate) fn update(clients: usize) -> Result<Option<(f64, Times)>> {
    let Some(programs) = programs() else { return Ok(None) };
    let folder = tempfile::tempdir()?;
    let cluster = Cluster::start(&programs, folder.path())?;
    cluster.run("psql", &["-q", "-d", "postgres", "-c", TABLE])?;
    let script = folder.path().join("update.sql");
    fs::write(&script, UPDATE)?;
    let log = folder.path().join("times");
    let (clients, span) = (clients.to_string(), SPAN_S.to_string());
    let [script, prefix] = [&script, &log].map(|path| path.display().to_string());
    let arguments = ["-n", "-M", "prepared", "-j", "2", "-l", "-c", &clients, "-T", &span, "-f", &script];
    cluster.run("pgbench", &[&arguments[..], &["--log-prefix", &prefix, "postgres"]].concat())?;
    let mut times = Times::default();
    for entry in fs::read_dir(folder.path())? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("times")) {
            // client, number, microseconds, …
            for line in fs::read_to_string(&path)?.lines() {
                let micros = line.split(' ').nth(2).context("a line of pgbench without a time")?.parse()?;
                times.add(Duration::from_micros(micros));
            }
        }
    }
    ensure!(!times.0.is_empty(), "pgbench has measured nothing");
    Ok(Some((times.0.len() as f64 / SPAN_S as f64, times)))
}

const TABLE: &str = "CREATE TABLE presence (agent int PRIMARY KEY, state int, version bigint, at timestamptz);
     INSERT INTO presence SELECT agent, 0, 0, now() FROM generate_series(1, 2000) agent";
const UPDATE: &str = "\\set agent random(1, 2000)
UPDATE presence SET state = 1 - state, version = version + 1, at = now() WHERE agent = :agent;
";

/// Where the newest installed version's programs are.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let newest = versions.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).max()?;
    Some(Path::new("/usr/lib/postgresql").join(newest.to_string()).join("bin")).filter(|it| it.join("pgbench").exists())
}

/// A database cluster in a folder of its own, reached by a socket in that folder alone.
struct Cluster<'a> {
    programs: &'a Path,
    folder: &'a Path,
    /// Whether it runs as a user of its own, since the server refuses to run as root.
    as_other: bool,
}

impl<'a> Cluster<'a> {
    fn start(programs: &'a Path, folder: &'a Path) -> Result<Self> {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o711))?;
        let other = server_user()?;
        if let Some((user, group)) = other {
            chown(folder, Some(user), Some(group))?;
        }
        let cluster = Self { programs, folder, as_other: other.is_some() };
        let [data, socket] = [folder.join("data"), folder.to_path_buf()].map(|path| path.display().to_string());
        cluster.command("initdb", &["-D", &data, "-A", "trust", "-E", "UTF8"])?;
        let options = format!("-k {socket} -c listen_addresses=");
        cluster.command("pg_ctl", &["-D", &data, "-o", &options, "-w", "-l", &format!("{socket}/log"), "start"])?;
        Ok(cluster)
    }

    /// A client program.
    fn run(&self, program: &str, arguments: &[&str]) -> Result<()> {
        let folder = self.folder.display().to_string();
        self.command(program, &[&["-h", &folder], arguments].concat())
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Result<()> {
        let path = self.programs.join(program);
        let mut command = if self.as_other {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        // What goes on running must not hold our own output open.
        let log = fs::File::create(self.folder.join(format!("{program}.out")))?;
        command.args(arguments).current_dir(self.folder).stdout(log.try_clone()?).stderr(log);
        ensure!(command.status()?.success(), "{program} of PostgreSQL has failed");
        Ok(())
    }
}

impl Drop for Cluster<'_> {
    fn drop(&mut self) {
        let data = self.folder.join("data").display().to_string();
        if let Err(error) = self.command("pg_ctl", &["-D", &data, "-m", "immediate", "stop"]) {
            drop(note(&format!("PostgreSQL was not stopped: {error:#}")));
        }
    }
}

/// User and group of the database's own account, when we are root.
fn server_user() -> Result<Option<(u32, u32)>> {
    let own = fs::metadata("/proc/self")?;
    if std::os::unix::fs::MetadataExt::uid(&own) != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let line = users.lines().find(|line| line.starts_with("postgres:")).context("no user postgres")?;
    let mut numbers = line.split(':').skip(2).map(str::parse::<u32>);
    let mut next = || numbers.next().context("a short line of passwd")?.context("no number in passwd");
    Ok(Some((next()?, next()?)))
}
