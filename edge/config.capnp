# The edge on an own machine: `workerd serve edge/config.capnp config`.
# `cargo xtask worker` makes the modules, `cargo xtask edge` starts this with its keys; README.md tells the rest.
using Workerd = import "/workerd/workerd.capnp";
using Build = import "build/modules.capnp";

const config :Workerd.Config = (
  services = [
    (name = "edge", worker = .edge),
    # The copies' databases; the folder is given with --directory-path objects=DIR.
    (name = "objects", disk = (writable = true)),
    # Where the edge may connect to: the server, on this machine or at a public or private address.
    (name = "server", network = (allow = ["local", "private", "public"], tlsOptions = (trustBrowserCas = true))),
  ],
  sockets = [(name = "http", address = "127.0.0.1:8788", http = (), service = "edge")],
);

const edge :Workerd.Worker = (
  modules = Build.modules,
  compatibilityDate = "2026-04-26",
  globalOutbound = "server",
  bindings = [
    (name = "TOKEN_PUBLIC_KEY", fromEnvironment = "TOKEN_PUBLIC_KEY"),
    (name = "FEED_PUBLIC_KEY", fromEnvironment = "FEED_PUBLIC_KEY"),
    (name = "EDGE_PRIVATE_KEY", fromEnvironment = "EDGE_PRIVATE_KEY"),
    (name = "SERVER_URL", fromEnvironment = "SERVER_URL"),
    (name = "PRESENCE", durableObjectNamespace = "PresenceObject"),
  ],
  durableObjectNamespaces = [
    # The key names the databases on disk: never change it. wrangler uses the same one.
    (className = "PresenceObject", uniqueKey = "cordboard-edge-PresenceObject", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "objects"),
);
