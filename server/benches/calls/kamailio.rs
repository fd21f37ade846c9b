//! The peer: Kamailio as a stateful relay that stays on the path, where it is installed. It rewrites nothing and knows no
//! people, so it does about half of the work of a back-to-back user agent.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::process::{Process, free};

/// Where Debian puts it.
const PROGRAM: &str = "/usr/sbin/kamailio";

/// A started relay.
pub(crate) struct Kamailio {
    process: Process,
    pub(crate) sip: SocketAddr,
}

/// Whether it can be measured here.
pub(crate) fn is_installed() -> bool {
    Path::new(PROGRAM).is_file()
}

impl Kamailio {
    /// Starts one with two workers that sends each request to where its address says.
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        let sip = free()?;
        let settings: PathBuf = folder.join("kamailio.cfg");
        // `tm` before `sl`, or the start fails.
        fs::write(
            &settings,
            format!(
                "#!KAMAILIO\ndebug=0\nlog_stderror=yes\nfork=yes\nchildren=2\nlisten=udp:{sip}\nauto_aliases=no\ndisable_tcp=yes\n\
                 loadmodule \"tm.so\"\nloadmodule \"sl.so\"\nloadmodule \"rr.so\"\nloadmodule \"pv.so\"\n\
                 loadmodule \"maxfwd.so\"\nloadmodule \"siputils.so\"\nloadmodule \"textops.so\"\n\
                 request_route {{\n\
                   if (!mf_process_maxfwd_header(\"10\")) {{ sl_send_reply(\"483\", \"Too Many Hops\"); exit; }}\n\
                   if (is_method(\"OPTIONS\") && uri==myself) {{ sl_send_reply(\"200\", \"OK\"); exit; }}\n\
                   if (has_totag()) {{ if (loose_route()) {{ t_relay(); }} else {{ sl_send_reply(\"404\", \"Gone\"); }} exit; }}\n\
                   record_route();\n\
                   t_relay();\n\
                 }}\n"
            ),
        )?;
        let mut command = Command::new(PROGRAM);
        command.arg("-f").arg(&settings).args(["-DD", "-E", "-w"]).arg(folder).arg("-Y").arg(folder);
        let mut process = Process::start(command.current_dir(folder))?;
        process.await_ready(|| answers(sip))?;
        Ok(Self { process, sip })
    }

    /// Processor time of all its processes so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        self.process.cpu()
    }

    /// Asks it to end, with its workers, and waits until it has.
    pub(crate) fn stop(self) -> Result<()> {
        self.process.stop()
    }
}

fn answers(sip: SocketAddr) -> bool {
    let ask = || -> Result<()> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let here = socket.local_addr()?;
        socket.set_read_timeout(Some(Duration::from_millis(200)))?;
        let options = format!(
            "OPTIONS sip:{sip} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKready\r\nMax-Forwards: 5\r\n\
             From: <sip:bench@{here}>;tag=1\r\nTo: <sip:{sip}>\r\nCall-ID: ready\r\nCSeq: 1 OPTIONS\r\n\
             Content-Length: 0\r\n\r\n"
        );
        socket.send_to(options.as_bytes(), sip)?;
        socket.recv_from(&mut [0; 2_048])?;
        Ok(())
    };
    ask().is_ok()
}
