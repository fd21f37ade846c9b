//! Kamailio in front of the server: a proxy that record-routes, as carriers and large offices have one.

use std::fs;
use std::time::Duration;

use anyhow::Result;
use tokio::net::UdpSocket;
use tokio::process::Command;
use tokio::time::timeout;

use crate::journey::Journey;
use crate::process::Program;
use crate::wait::until;
use crate::{port, tools};

/// A started proxy. It ends with this value.
#[derive(Debug)]
pub struct Proxy {
    /// Its SIP port.
    pub port: u16,
    program: Program,
}

impl Proxy {
    /// Starts one that passes new calls on to a server and stays on the path of all that follows.
    pub async fn start(journey: &Journey, server: u16) -> Result<Self> {
        let port = port::free()?;
        let folder = journey.scratch(&format!("kamailio-{port}"))?;
        let settings = folder.join("kamailio.cfg");
        // `tm` before `sl`, or the start fails.
        fs::write(
            &settings,
            format!(
                "#!KAMAILIO\ndebug=1\nlog_stderror=yes\nfork=no\nchildren=2\nlisten=udp:127.0.0.1:{port}\n\
                 auto_aliases=no\ndisable_tcp=yes\n\
                 loadmodule \"tm.so\"\nloadmodule \"sl.so\"\nloadmodule \"rr.so\"\nloadmodule \"pv.so\"\n\
                 loadmodule \"maxfwd.so\"\nloadmodule \"siputils.so\"\nloadmodule \"textops.so\"\n\
                 request_route {{\n\
                   if (!mf_process_maxfwd_header(\"10\")) {{ sl_send_reply(\"483\", \"Too Many Hops\"); exit; }}\n\
                   if (is_method(\"OPTIONS\") && uri==myself) {{ sl_send_reply(\"200\", \"OK\"); exit; }}\n\
                   if (has_totag()) {{ if (loose_route()) {{ t_relay(); }} else {{ sl_send_reply(\"404\", \"Gone\"); }} exit; }}\n\
                   if (is_method(\"CANCEL\")) {{ if (t_check_trans()) {{ t_relay(); }} exit; }}\n\
                   record_route();\n\
                   $du = \"sip:127.0.0.1:{server}\";\n\
                   t_relay();\n\
                 }}\n"
            ),
        )?;
        let log = folder.join(format!("kamailio-{port}.log"));
        journey.watch_log(&log);
        let mut command = Command::new(tools::kamailio()?);
        command.arg("-f").arg(&settings).args(["-DD", "-E", "-w"]).arg(&folder).arg("-Y").arg(&folder);
        command.current_dir(&folder);
        let proxy = Self { port, program: Program::start("Kamailio", command, &log)? };
        until("Kamailio's first answer", Duration::from_secs(20), async || {
            proxy.program.check()?;
            proxy.answers().await
        })
        .await?;
        Ok(proxy)
    }

    async fn answers(&self) -> Result<()> {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        let here = socket.local_addr()?;
        let options = format!(
            "OPTIONS sip:127.0.0.1:{} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKready\r\nMax-Forwards: 5\r\n\
             From: <sip:journey@{here}>;tag=1\r\nTo: <sip:127.0.0.1>\r\nCall-ID: ready\r\nCSeq: 1 OPTIONS\r\n\
             Content-Length: 0\r\n\r\n",
            self.port
        );
        socket.send_to(options.as_bytes(), ("127.0.0.1", self.port)).await?;
        timeout(Duration::from_millis(500), socket.recv_from(&mut [0; 2_048])).await??;
        Ok(())
    }
}
